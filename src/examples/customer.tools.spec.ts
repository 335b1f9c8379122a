import { ConfigService } from '@nestjs/config';
import fc from 'fast-check';
import { type TestDatabase, databaseBackends } from '../../test/support/database.js';
import type { Settings } from '../config/settings.js';
import { Database } from '../storage/database.js';
import { ToolError } from '../tools/results.js';
import { validateDto } from '../tools/validate-dto.js';
import { Customer, DeletedCustomer } from './customer.dto.js';
import { CustomerRepository } from './customer.repository.js';
import { CustomerTools } from './customer.tools.js';
import { ExampleDatabase } from './example-database.js';

jest.setTimeout(120_000);

const UNKNOWN = new ToolError('No customer with this customer_id');

describe.each(databaseBackends())('CustomerTools ($name)', (backend) => {
  let place: TestDatabase;
  let database: Database;
  let tools: CustomerTools;

  beforeAll(async () => {
    place = await backend.open();
    database = open();
    tools = toolsOn(database);
  });

  afterAll(async () => {
    await database.onApplicationShutdown();
    await place.cleanup();
  });

  const open = () => new Database(new ConfigService<Settings, true>({ storage: place.settings }));
  const toolsOn = (at: Database) => new CustomerTools(new CustomerRepository(new ExampleDatabase(at)));

  it('reads a customer in the form of the output class', async () => {
    const customer = await tools.readCustomer({ customer_id: '123' });
    expect(customer).toEqual({
      customer_id: '123',
      name: 'Ada Marchetti',
      email: 'ada.marchetti@example.com',
      tier: 'premium',
      updated_at: expect.stringMatching(/^20\d\d-.*Z$/),
    });
    expect(await validateDto(Customer, customer)).toMatchObject({ ok: true });
    expect((await tools.readCustomer({ customer_id: '126' })).name).toBe('Tomasz Zieliński');
  });

  it('changes the given fields only, and sets the time of the change', async () => {
    const before = await tools.readCustomer({ customer_id: '124' });
    const after = await tools.updateCustomer({ customer_id: '124', tier: 'premium' });
    expect(after).toEqual({
      customer_id: '124',
      name: before.name,
      email: before.email,
      tier: 'premium',
      updated_at: after.updated_at,
    });
    expect(Date.parse(after.updated_at)).toBeGreaterThan(Date.parse(before.updated_at));
    expect(await tools.readCustomer({ customer_id: '124' })).toEqual(after);

    const all = { customer_id: '124', name: 'J. Lindqvist', email: 'j@example.com', tier: 'free' } as const;
    expect(await tools.updateCustomer(all)).toMatchObject(all);
  });

  it('does not change another customer', async () => {
    const others = await Promise.all(['123', '126'].map((id) => tools.readCustomer({ customer_id: id })));
    await tools.updateCustomer({ customer_id: '125', name: 'P. Raman' });
    await tools.deleteCustomer({ customer_id: '125' });
    expect(await Promise.all(['123', '126'].map((id) => tools.readCustomer({ customer_id: id })))).toEqual(
      others,
    );
  });

  it.each([[{}], [{ name: undefined, email: undefined, tier: undefined }]])(
    'rejects an empty change before the lookup: %j',
    async (nothing) => {
      const change = tools.updateCustomer({ customer_id: 'nobody', ...nothing });
      await expect(change).rejects.toThrow(new ToolError('Give at least one of name, email and tier'));
    },
  );

  it('reports an unknown customer', async () => {
    const nobody = { customer_id: 'nobody' };
    await expect(tools.readCustomer(nobody)).rejects.toThrow(UNKNOWN);
    await expect(tools.updateCustomer({ ...nobody, name: 'X' })).rejects.toThrow(UNKNOWN);
    await expect(tools.deleteCustomer(nobody)).rejects.toThrow(UNKNOWN);
    await expect(tools.readCustomer(nobody)).rejects.toBeInstanceOf(ToolError);
  });

  it('deletes a customer durably', async () => {
    const gone = await tools.deleteCustomer({ customer_id: '127' });
    expect(gone).toEqual({ customer_id: '127', deleted: true });
    expect(await validateDto(DeletedCustomer, gone)).toMatchObject({ ok: true });
    await expect(tools.deleteCustomer({ customer_id: '127' })).rejects.toThrow(UNKNOWN);

    await tools.updateCustomer({ customer_id: '126', name: 'T. Zieliński' });
    await database.onApplicationShutdown();
    database = open();
    tools = toolsOn(database);
    await expect(tools.readCustomer({ customer_id: '127' })).rejects.toThrow(UNKNOWN);
    expect((await tools.readCustomer({ customer_id: '126' })).name).toBe('T. Zieliński');
  });

  it('lets exactly one of two deletions succeed', async () => {
    const db = await new ExampleDatabase(database).get();
    await db
      .insertInto('customers')
      .values({ customer_id: 'twice', name: 'T', email: 't@example.com', tier: 'free' })
      .execute();
    const results = await Promise.allSettled(
      [1, 2].map(() => tools.deleteCustomer({ customer_id: 'twice' })),
    );
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('stores a name unchanged, also one that looks like SQL', async () => {
    const name = fc.oneof(
      fc.constantFrom(`'; drop table customers; --`, `$1`, `\\'`, `%s`, `"`, 'Ω≈ç√ 漢字 👩‍👩‍👧'),
      fc.string({ unit: 'grapheme', minLength: 1 }),
    );
    await fc.assert(
      fc.asyncProperty(name, async (text) => {
        await tools.updateCustomer({ customer_id: '123', name: text });
        expect((await tools.readCustomer({ customer_id: '123' })).name).toBe(text);
      }),
      { numRuns: 50 },
    );
  });
});
