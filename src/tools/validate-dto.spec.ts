import { Type } from 'class-transformer';
import {
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  MaxLength,
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
  ])('takes %j', async (value) => {
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
  ])('refuses %j', async (value, expected) => {
    expect((await faults(value)).sort()).toEqual(expected.sort());
  });

  it('repeats no value, and no name beyond a bound', async () => {
    const found = await faults({ text: 'secret-value', ['n'.repeat(5000)]: 'secret-value' });
    expect(found.join()).not.toContain('secret-value');
    expect(Math.max(...found.map((fault) => fault.length))).toBeLessThan(200);
    expect(
      await faults(Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`k${at}`, 1]))),
    ).toHaveLength(20);
  });

  it('gives the input its class, and nothing beyond it', async () => {
    const checked = await validateDto(Input, { text: 'ok', address: { city: 'x' } });
    expect(checked).toMatchObject({ ok: true, input: expect.any(Input) });
    expect(checked.ok && (checked.input as Input).address).toBeInstanceOf(Address);
  });

  it('survives any JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const checked = await validateDto(Input, value);
        if (checked.ok) expect((value as unknown as Input).text.length).toBeLessThanOrEqual(5);
      }),
    );
  });
});

describe('dtoSchema', () => {
  it('says what validateDto enforces, closed at every level', () => {
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

  it('has what a parent class asks for', () => {
    expect(dtoSchema(Child)).toMatchObject({ required: expect.arrayContaining(['text', 'own']) });
  });

  it('does not guess between two nested classes of one name', () => {
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
  ])('%p is a validated class: %p', (type, expected) => {
    expect(isValidatedClass(type)).toBe(expected);
  });
});
