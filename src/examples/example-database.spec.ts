import { ConfigService } from '@nestjs/config';
import { sql } from 'kysely';
import { type TestDatabase, databaseBackends } from '../../test/support/database.js';
import type { Settings } from '../config/settings.js';
import { Database } from '../storage/database.js';
import { ExampleDatabase } from './example-database.js';

jest.setTimeout(120_000);

describe.each(databaseBackends())('ExampleDatabase ($name)', (backend) => {
  let place: TestDatabase;
  let database: Database;

  beforeAll(async () => {
    place = await backend.open();
    database = new Database(new ConfigService<Settings, true>({ storage: place.settings }));
  });

  afterEach(async () => {
    const db = await database.get();
    await sql`drop table if exists customers, example_migrations`.execute(db);
    await sql`delete from schema_migrations where name like '%customers'`.execute(db);
  });

  afterAll(async () => {
    await database.onApplicationShutdown();
    await place.cleanup();
  });

  it('creates the customers table in a database without example tools', async () => {
    const product = await database.get();
    await expect(sql`select from customers`.execute(product)).rejects.toMatchObject({ code: '42P01' });
    const examples = new ExampleDatabase(database);
    const [one] = await Promise.all([examples.get(), examples.get(), new ExampleDatabase(database).get()]);
    const customers = await one.selectFrom('customers').selectAll().orderBy('customer_id').execute();
    expect(customers.map(({ customer_id }) => customer_id)).toEqual(['123', '124', '125', '126', '127']);
    expect(customers[0]).toMatchObject({
      name: 'Ada Marchetti',
      tier: 'premium',
      updated_at: expect.any(Date),
    });
  });

  it('does not repeat an applied step', async () => {
    const db = await new ExampleDatabase(database).get();
    await db.deleteFrom('customers').where('customer_id', '<>', '123').execute();
    const again = await new ExampleDatabase(database).get();
    expect(await again.selectFrom('customers').selectAll().execute()).toHaveLength(1);
  });

  it('rejects an unknown tier', async () => {
    const db = await new ExampleDatabase(database).get();
    const change = sql`update customers set tier = 'gold' where customer_id = '123'`.execute(db);
    await expect(change).rejects.toMatchObject({ code: '23514' });
  });

  it('keeps the customers of an early development version', async () => {
    const product = await database.get();
    await sql`create table customers (customer_id text primary key, name text)`.execute(product);
    await sql`insert into customers values ('9', 'Nina')`.execute(product);
    for (const name of ['0001_customers', '0002_example_customers'])
      await sql`insert into schema_migrations (name) values (${name})`.execute(product);
    const db = await new ExampleDatabase(database).get();
    expect(await db.selectFrom('customers').select('customer_id').execute()).toEqual([{ customer_id: '9' }]);
  });

  it('rejects a customers table of another program, and recovers after its removal', async () => {
    const product = await database.get();
    await sql`create table customers (id integer)`.execute(product);
    const examples = new ExampleDatabase(database);
    await expect(examples.get()).rejects.toThrow('The tables of the example tools cannot be created');
    await sql`drop table customers`.execute(product);
    await expect(examples.get()).resolves.toBeDefined();
  });
});
