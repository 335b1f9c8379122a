import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsEmail,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  MaxLength,
  ValidateBy,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import fc from 'fast-check';
import { dtoSchema, isValidatedClass } from './dto-schema.js';
import { validateDto } from './validate-dto.js';

class Street {
  @IsString()
  name: string;
}

class Address {
  @IsString()
  city: string;

  @IsOptional()
  @ValidateNested()
  @Type(() => Street)
  street?: Street;
}

class Input {
  @IsString()
  @MaxLength(5)
  text: string;

  @IsOptional()
  @IsInt()
  count?: number;

  @IsOptional()
  @IsIn(['a', 'b'])
  choice?: string;

  @IsOptional()
  @ValidateNested()
  @Type(() => Address)
  address?: Address;

  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => Address)
  others?: Address[];

  @IsOptional()
  @IsObject()
  free?: object;
}

class Child extends Input {
  @IsString()
  own: string;
}

function IsOneLine(): PropertyDecorator {
  return ValidateBy({
    name: 'isOneLine',
    validator: {
      validate: (text) => typeof text === 'string',
      defaultMessage: () => '$property must be one line',
    },
  });
}

class Place {
  @Matches(/^[a-z]+$/)
  code: string;
}

/** Rules whose messages do not state the type. */
class Typed {
  @ValidateIf((_, value) => value !== undefined)
  @Matches(/^[a-z]+$/, { message: '$property must be letters' })
  id?: string;

  @ValidateIf((_, value) => value !== undefined)
  @IsIn(['a', 'b'])
  choice?: 'a' | 'b';

  @ValidateIf((_, value) => value !== undefined)
  @IsOneLine()
  line?: string;

  @ValidateIf((_, value) => value !== undefined)
  @IsEmail()
  mail?: string;

  @ValidateIf((_, value) => value !== undefined)
  @Max(3)
  level?: number;

  @ValidateIf((_, value) => value !== undefined)
  @IsIn([true])
  flag?: boolean;

  @ValidateIf((_, value) => value !== undefined)
  @Matches(/^[a-z]+$/, { each: true })
  tags?: string[];

  @ValidateIf((_, value) => value !== undefined)
  @ValidateNested()
  @Type(() => Place)
  place?: Place;

  @ValidateIf((_, value) => value !== undefined)
  @ArrayMaxSize(2)
  @ValidateNested({ each: true })
  @Type(() => Place)
  places?: Place[];

  @ValidateIf((_, value) => value !== undefined)
  @Length(1, 2)
  either?: string | number;
}

class Nothing {}

async function faults(value: unknown, dto: new () => object = Input): Promise<string[]> {
  const checked = await validateDto(dto, value);
  return checked.ok ? [] : checked.faults;
}

describe('validateDto', () => {
  it.each([
    [{ text: 'ok' }],
    [
      {
        text: 'ok',
        count: 1,
        choice: 'a',
        address: { city: 'x', street: { name: 'y' } },
        others: [{ city: 'x' }],
      },
    ],
    [{ text: '', free: { anything: { goes: [1] } } }],
  ])('accepts %j', async (value) => {
    expect(await faults(value)).toEqual([]);
  });

  it.each<[unknown, string[]]>([
    [undefined, ['text must be shorter than or equal to 5 characters', 'text must be a string']],
    [[], ['the arguments must be an object']],
    ['text', ['the arguments must be an object']],
    [{ text: 5 }, ['text must be shorter than or equal to 5 characters', 'text must be a string']],
    [{ text: 'longer' }, ['text must be shorter than or equal to 5 characters']],
    [{ text: 'ok', count: '1' }, ['count must be an integer number']],
    [{ text: 'ok', count: 1.5 }, ['count must be an integer number']],
    [{ text: 'ok', more: 1 }, ['more should not exist']],
    [{ text: 'ok', choice: 'c' }, ['choice must be one of the following values: a, b']],
    [{ text: 'ok', address: { city: 5 } }, ['address.city must be a string']],
    [{ text: 'ok', address: { city: 'x', zip: 1 } }, ['address.zip should not exist']],
    [{ text: 'ok', address: { city: 'x', street: { name: 1 } } }, ['address.street.name must be a string']],
    [{ text: 'ok', others: [{ city: 'x' }, { city: 5 }] }, ['others.1.city must be a string']],
    [{ text: 'ok', toString: 'x' }, ['toString should not exist']],
    [{ text: 'ok', address: { city: 'x', hasOwnProperty: 1 } }, ['hasOwnProperty should not exist']],
    [JSON.parse('{"text":"ok","then":"x"}'), ['then should not exist']],
    [{ text: 'ok', constructor: { name: 'Input' } }, ['constructor should not exist']],
    [JSON.parse('{"text":"ok","__proto__":{"count":1}}'), ['__proto__ should not exist']],
    [
      JSON.parse('{"text":"ok","address":{"city":"x","__proto__":{"street":1}}}'),
      ['__proto__ should not exist'],
    ],
  ])('rejects %j', async (value, expected) => {
    expect((await faults(value)).sort()).toEqual(expected.sort());
  });

  it.each<[unknown, string]>([
    [{ id: 123 }, 'id must be a text (string), not a number'],
    [{ id: null }, 'id must be a text (string), not null'],
    [{ id: true }, 'id must be a text (string), not true or false (boolean)'],
    [{ id: ['a'] }, 'id must be a text (string), not a list (array)'],
    [{ id: { a: 1 } }, 'id must be a text (string), not an object'],
    [{ choice: 5 }, 'choice must be a text (string), not a number'],
    [{ line: 5 }, 'line must be a text (string), not a number'],
    [{ mail: 5 }, 'mail must be a text (string), not a number'],
    [{ level: '5' }, 'level must be a number, not a text (string)'],
    [{ flag: 'true' }, 'flag must be true or false (boolean), not a text (string)'],
    [{ tags: 'A' }, 'tags must be a list (array), not a text (string)'],
    [{ tags: ['a', 5] }, 'tags must be a list of which each value is a text (string), not a number'],
    [{ place: 5 }, 'place must be an object, not a number'],
    [{ place: 'x' }, 'place must be an object, not a text (string)'],
    [{ place: { code: 5 } }, 'place.code must be a text (string), not a number'],
    [{ places: { code: 'a' } }, 'places must be a list (array), not an object'],
    [{ places: [{ code: 5 }] }, 'places.0.code must be a text (string), not a number'],
    [{ either: true }, 'either must be a text (string), not true or false (boolean)'],
  ])('states the expected type for %j', async (value, fault) => {
    expect((await faults(value, Typed)).map((one) => one.replace(/\.$/, ''))).toContain(fault);
  });

  it('does not state a correct type, and states no type twice', async () => {
    expect((await faults({ id: '!' }, Typed)).join()).not.toContain('string');
    expect((await faults({ tags: ['!'] }, Typed)).join()).not.toContain('string');
    expect(await faults({ text: 5 })).toHaveLength(2);
  });

  it('omits values and cuts long names in faults', async () => {
    const found = await faults({ text: 'secret-value', ['n'.repeat(5000)]: 'secret-value' });
    expect(found.join()).not.toContain('secret-value');
    expect(Math.max(...found.map((fault) => fault.length))).toBeLessThan(200);
    expect(
      await faults(Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`k${at}`, 1]))),
    ).toHaveLength(20);
  });

  it('returns an instance of the class with declared members only', async () => {
    const checked = await validateDto(Input, { text: 'ok', address: { city: 'x' } });
    expect(checked).toMatchObject({ ok: true, input: expect.any(Input) });
    expect(checked.ok && (checked.input as Input).address).toBeInstanceOf(Address);
  });

  it('never throws for random JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const checked = await validateDto(Input, value);
        if (checked.ok) expect((value as unknown as Input).text.length).toBeLessThanOrEqual(5);
      }),
    );
  });
});

describe('dtoSchema', () => {
  it('describes the rules of validateDto and closes every object', () => {
    expect(dtoSchema(Input)).toEqual({
      type: 'object',
      properties: {
        text: { type: 'string', maxLength: 5 },
        count: { type: 'integer' },
        choice: { type: 'string', enum: ['a', 'b'] },
        address: { $ref: '#/$defs/Address' },
        others: { type: 'array', items: { $ref: '#/$defs/Address' } },
        free: { type: 'object' },
      },
      required: ['text'],
      additionalProperties: false,
      $defs: {
        Address: {
          type: 'object',
          properties: { city: { type: 'string' }, street: { $ref: '#/$defs/Street' } },
          required: ['city'],
          additionalProperties: false,
        },
        Street: {
          type: 'object',
          properties: { name: { type: 'string' } },
          required: ['name'],
          additionalProperties: false,
        },
      },
    });
  });

  it('includes the properties of a parent class', () => {
    expect(dtoSchema(Child)).toMatchObject({ required: expect.arrayContaining(['text', 'own']) });
  });

  it('rejects two nested classes with one name', () => {
    const twin = () => {
      class Twin {
        @IsString()
        name: string;
      }
      class Holder {
        @ValidateNested()
        @Type(() => Twin)
        twin: Twin;
      }
      return Holder;
    };
    const [first] = [twin(), twin()];
    expect(() => dtoSchema(first)).toThrow('the nested class Twin exists twice');
  });

  it.each([
    [Input, true],
    [Nothing, false],
    [Object, false],
    [String, false],
    [undefined, false],
  ])('reports for %p whether it is a validated class: %p', (type, expected) => {
    expect(isValidatedClass(type)).toBe(expected);
  });
});
