import { readAccessRule } from '../policy/decorators.js';
import { readDeclaration } from '../tools/decorators.js';
import { type DtoClass, dtoSchema } from '../tools/dto-schema.js';
import { validateDto } from '../tools/validate-dto.js';
import {
  Customer,
  DeleteCustomerInput,
  DeletedCustomer,
  ReadCustomerInput,
  UpdateCustomerInput,
} from './customer.dto.js';
import { CustomerTools } from './customer.tools.js';
import { SendEmailInput, SentEmail } from './email.dto.js';
import { EmailTools } from './email.tools.js';

describe('the example tools', () => {
  it.each([
    [CustomerTools, 'readCustomer', 'read_customer', ['database.read'], [], { readOnlyHint: true }],
    [CustomerTools, 'updateCustomer', 'update_customer', ['database.write'], [], { readOnlyHint: false }],
    [
      CustomerTools,
      'deleteCustomer',
      'delete_customer',
      ['database.write'],
      [['admin']],
      { destructiveHint: true },
    ],
    [EmailTools, 'sendEmail', 'send_email', ['email.send'], [], { openWorldHint: true }],
  ])('%p.%s is %s and requires %j and %j', (type, method, name, scopes, roles, annotations) => {
    expect(readDeclaration(type.prototype as object, method)).toMatchObject({
      kind: 'tool',
      options: { name, annotations },
    });
    expect(readAccessRule(type, method)).toMatchObject({ scopes, roles, allowWorkload: false });
  });

  it.each([
    [ReadCustomerInput, ['customer_id']],
    [UpdateCustomerInput, ['customer_id']],
    [DeleteCustomerInput, ['customer_id']],
    [SendEmailInput, ['body', 'subject', 'to']],
    [Customer, ['customer_id', 'email', 'name', 'tier', 'updated_at']],
    [DeletedCustomer, ['customer_id', 'deleted']],
    [SentEmail, ['message_id', 'to']],
  ])('%p states its requirements and describes every property', (dto, required) => {
    const schema = dtoSchema(dto);
    expect([...(schema.required as string[])].sort()).toEqual(required);
    for (const property of Object.values(schema.properties as object)) {
      expect(property).toEqual(
        expect.objectContaining({ type: expect.any(String), description: expect.any(String) }),
      );
      expect(property).not.toHaveProperty('oneOf');
    }
  });

  it('shows the enforced limits in the schema', () => {
    expect(dtoSchema(UpdateCustomerInput).properties).toMatchObject({
      customer_id: { pattern: '^[A-Za-z0-9_-]{1,64}$' },
      name: { minLength: 1, maxLength: 200 },
      email: { format: 'email', maxLength: 254 },
      tier: { enum: ['free', 'standard', 'premium'] },
    });
    expect(dtoSchema(SendEmailInput).properties).toMatchObject({
      to: { format: 'email', maxLength: 254 },
      subject: { maxLength: 200 },
      body: { maxLength: 20_000 },
    });
  });
});

describe('the input classes', () => {
  const mail = { to: 'ada@example.com', subject: 'Hello', body: 'Hi\r\nAda' };
  const update = { customer_id: '123' };

  it.each<[string, DtoClass, object]>([
    ['an id', ReadCustomerInput, { customer_id: '123' }],
    ['the longest id', DeleteCustomerInput, { customer_id: 'aZ0_-'.padEnd(64, 'x') }],
    ['no change, which the tool refuses', UpdateCustomerInput, update],
    ['a name of another script', UpdateCustomerInput, { ...update, name: '李小龍 O’Neil 👩‍🚀' }],
    [
      'every change',
      UpdateCustomerInput,
      { ...update, name: 'A', email: 'a.b+c@mail.example.org', tier: 'free' },
    ],
    ['a mail', SendEmailInput, mail],
    ['a long body', SendEmailInput, { ...mail, body: 'x'.repeat(20_000) }],
    ['a subject of another script', SendEmailInput, { ...mail, subject: 'Grüße, 東京 🎉' }],
  ])('accept %s', async (_, dto, value) => {
    expect(await validateDto(dto, value)).toMatchObject({ ok: true });
  });

  it.each<[string, DtoClass, object]>([
    ['no id', ReadCustomerInput, {}],
    ['an empty id', ReadCustomerInput, { customer_id: '' }],
    ['an id too long', ReadCustomerInput, { customer_id: 'x'.repeat(65) }],
    ['an id with a line break', ReadCustomerInput, { customer_id: '123\n' }],
    ['an id that is a path', DeleteCustomerInput, { customer_id: '../123' }],
    ['an id that is a number', UpdateCustomerInput, { customer_id: 123, name: 'A' }],
    ['an id that is a list', ReadCustomerInput, { customer_id: ['123'] }],
    ['a field that does not exist', UpdateCustomerInput, { ...update, updated_at: 'now' }],
    ['null for a name', UpdateCustomerInput, { ...update, name: null }],
    ['null for an address', UpdateCustomerInput, { ...update, email: null }],
    ['null for a tier', UpdateCustomerInput, { ...update, tier: null }],
    ['a blank name', UpdateCustomerInput, { ...update, name: ' ' }],
    ['a name too long', UpdateCustomerInput, { ...update, name: 'x'.repeat(201) }],
    ['a name with NUL, which no database takes', UpdateCustomerInput, { ...update, name: 'a\0b' }],
    ['a name with half a character', UpdateCustomerInput, { ...update, name: 'a\ud800' }],
    ['a tier that does not exist', UpdateCustomerInput, { ...update, tier: 'gold' }],
    ['a name that is an object', UpdateCustomerInput, { ...update, name: { length: 3 } }],
    ['a subject with CR LF', SendEmailInput, { ...mail, subject: 'a\r\nBcc: eve@example.net' }],
    ['a subject with LF', SendEmailInput, { ...mail, subject: 'a\nb' }],
    ['a subject with CR', SendEmailInput, { ...mail, subject: 'a\rb' }],
    ['a subject with NEL', SendEmailInput, { ...mail, subject: 'a\u0085b' }],
    ['a subject with a line separator', SendEmailInput, { ...mail, subject: 'a\u2028b' }],
    ['an empty subject', SendEmailInput, { ...mail, subject: '' }],
    ['a subject too long', SendEmailInput, { ...mail, subject: 'x'.repeat(201) }],
    ['an empty body', SendEmailInput, { ...mail, body: '' }],
    ['a body too long', SendEmailInput, { ...mail, body: 'x'.repeat(20_001) }],
    ['another header', SendEmailInput, { ...mail, bcc: 'eve@example.net' }],
    ['a list of recipients', SendEmailInput, { ...mail, to: ['ada@example.com'] }],
    ['a recipient that is an object', SendEmailInput, { ...mail, to: { address: 'ada@example.com' } }],
  ])('reject %s', async (_, dto, value) => {
    expect(await validateDto(dto, value)).toMatchObject({ ok: false });
  });
});
