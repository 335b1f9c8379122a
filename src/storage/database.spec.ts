import { Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { sql } from 'kysely';
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestDatabase, databaseBackends, embeddedBackend } from '../../test/support/database.js';
import { Relay } from '../../test/support/relay.js';
import type { Settings, StorageSettings } from '../config/settings.js';
import { Database } from './database.js';
import { MIGRATIONS, type Migration, migrate } from './migrations.js';

jest.setTimeout(120_000);

const backends = databaseBackends();

describe.each(backends)('Database ($name)', (backend) => {
  let place: TestDatabase;
  const started: Database[] = [];

  beforeAll(async () => {
    place = await backend.open();
  });

  afterEach(() => stop(...started.splice(0)));

  afterAll(() => place.cleanup());

  function start(settings: StorageSettings = place.settings): Database {
    const database = databaseOf(settings);
    started.push(database);
    return database;
  }

  it('opens once for all who ask, with the example customers', async () => {
    const database = start();
    const [one, other] = await Promise.all([database.get(), database.get()]);
    expect(one).toBe(other);
    const customers = await one.selectFrom('customers').selectAll().orderBy('customer_id').execute();
    expect(customers.map((customer) => customer.customer_id)).toEqual(['123', '124', '125', '126', '127']);
    expect(customers[0]).toMatchObject({
      name: 'Ada Marchetti',
      tier: 'premium',
      updated_at: expect.any(Date),
    });
    expect(await database.ready()).toBe(true);
  });

  it('has the same types on every database', async () => {
    const db = await start().get();
    const { rows } = await sql`
      select count(*) as count, 9007199254740993::bigint as big, 1.50::numeric as exact, true as yes,
             '{"a":[1]}'::jsonb as json, '2026-01-02T03:04:05Z'::timestamptz as at from customers`.execute(
      db,
    );
    expect(rows).toEqual([
      {
        count: '5',
        big: '9007199254740993',
        exact: '1.50',
        yes: true,
        json: { a: [1] },
        at: new Date('2026-01-02T03:04:05Z'),
      },
    ]);
  });

  it('keeps what was written and what was deleted across restarts', async () => {
    const before = start();
    const db = await before.get();
    await db.deleteFrom('customers').where('customer_id', '=', '127').execute();
    await db.updateTable('customers').set({ name: 'Ada M.' }).where('customer_id', '=', '123').execute();
    await stop(before);

    const after = await start().get();
    const customers = await after.selectFrom('customers').select(['customer_id', 'name']).execute();
    expect(customers).toHaveLength(4);
    expect(customers).toContainEqual({ customer_id: '123', name: 'Ada M.' });
  });

  it('refuses a tier that does not exist', async () => {
    const db = await start().get();
    const change = sql`update customers set tier = 'gold' where customer_id = '123'`.execute(db);
    await expect(change).rejects.toMatchObject({ code: '23514' });
  });

  it('applies the missing steps whole or not at all', async () => {
    const db = await start().get();
    const extra: Migration = {
      name: '9001_extra',
      up: async (step) => void (await sql`create table extra (id integer)`.execute(step)),
    };
    const broken: Migration = { name: '9002_broken', up: () => Promise.reject(new Error('broken step')) };

    await expect(migrate(db, [...MIGRATIONS, extra, broken])).rejects.toThrow('broken step');
    await expect(sql`select * from extra`.execute(db)).rejects.toMatchObject({ code: '42P01' });
    await migrate(db, [...MIGRATIONS, extra]);
    await migrate(db, [...MIGRATIONS, extra]);
    expect((await sql`select * from extra`.execute(db)).rows).toEqual([]);

    await expect(migrate(db)).rejects.toThrow('newer version of this program: it has 9001_extra');
    await sql`drop table extra`.execute(db);
    await sql`delete from schema_migrations where name = '9001_extra'`.execute(db);
  });

  it('is over after the shutdown', async () => {
    const database = start();
    await database.get();
    await stop(database);
    await stop(database);
    await expect(database.get()).rejects.toThrow('The database is closed');
    expect(await database.ready()).toBe(false);
  });

  it('closes what was still being opened', async () => {
    const first = start();
    first.onApplicationBootstrap();
    await stop(first);
    const second = start();
    await expect(second.get()).resolves.toBeDefined();
  });
});

describe('Database (embedded), one process at a time', () => {
  let place: TestDatabase;

  beforeEach(async () => {
    place = await embeddedBackend.open();
  });

  afterEach(() => place.cleanup());

  it('is refused to a second opener, who gets it once the first is gone', async () => {
    const [first, second] = [databaseOf(place.settings), databaseOf(place.settings)];
    await first.get();
    await expect(second.get()).rejects.toThrow(
      `${join(place.settings.dataDir, 'database.lock')} is held by process ${process.pid}`,
    );
    expect(await second.ready()).toBe(false);
    await stop(first);
    expect(existsSync(join(place.settings.dataDir, 'database.lock'))).toBe(false);
    await expect(second.get()).resolves.toBeDefined();
    await stop(second);
  });

  const folderOf = () => join(place.settings.dataDir, 'database');

  it('is made anew where an initialization was cut off, and leaves nothing of it', async () => {
    const unfinished = `${folderOf()}.unfinished`;
    mkdirSync(join(unfinished, 'global'), { recursive: true });
    writeFileSync(join(unfinished, 'PG_VERSION'), '');
    mkdirSync(folderOf());
    const database = databaseOf(place.settings);
    await expect(database.get()).resolves.toBeDefined();
    expect(existsSync(unfinished)).toBe(false);
    await stop(database);
  });

  it('names the folder that is damaged, and the cure, and leaves it alone', async () => {
    const sound = databaseOf(place.settings);
    await sound.get();
    await stop(sound);
    const saved = join(place.settings.dataDir, 'saved');
    renameSync(folderOf(), saved);
    const damages: ((path: string) => void)[] = [
      (path) => rmSync(join(path, 'global/pg_control')),
      (path) => rmSync(join(path, 'PG_VERSION')),
      (path) => writeFileSync(join(path, 'PG_VERSION'), ''),
      (path) => rmSync(join(path, 'pg_wal'), { recursive: true }),
    ];
    for (const damage of damages) {
      cpSync(saved, folderOf(), { recursive: true });
      damage(folderOf());
      const before = readdirSync(folderOf());
      const database = databaseOf(place.settings);
      const refusal = await database.get().catch(({ message }: Error) => message);
      for (const part of [`${folderOf()} is damaged`, 'from a backup', 'move it away'])
        expect(refusal).toContain(part);
      expect(readdirSync(folderOf())).toEqual(expect.arrayContaining(before));
      await stop(database);
      rmSync(folderOf(), { recursive: true });
    }
  });

  it('gives the lock back when it cannot be opened', async () => {
    const obstacle = join(place.settings.dataDir, 'database');
    writeFileSync(obstacle, '');
    const database = databaseOf(place.settings);
    await expect(database.get()).rejects.toThrow('The database cannot be opened');
    expect(existsSync(join(place.settings.dataDir, 'database.lock'))).toBe(false);
    rmSync(obstacle);
    await expect(database.get()).resolves.toBeDefined();
    await stop(database);
  });
});

const overNetwork = backends.filter((backend) => backend.name === 'postgres');

(overNetwork.length > 0 ? describe.each(overNetwork) : describe.skip.each([embeddedBackend]))(
  'Database ($name), over a network',
  (backend) => {
    let place: TestDatabase;
    let relay: Relay;
    const started: Database[] = [];
    const warned = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    const failed = jest.spyOn(Logger.prototype, 'error').mockImplementation();

    beforeEach(async () => {
      place = await backend.open();
      relay = await Relay.start();
      warned.mockClear();
      failed.mockClear();
    });

    afterEach(async () => {
      await stop(...started.splice(0));
      await relay.stop();
      await place.cleanup();
    });

    afterAll(() => jest.restoreAllMocks());

    function start(databaseUrl = place.settings.databaseUrl!): Database {
      const database = databaseOf({ ...place.settings, databaseUrl });
      started.push(database);
      return database;
    }

    const relayed = () => relay.urlOf(place.settings.databaseUrl!);

    it('is built once by several starters, in the schema of the search path, with nothing on disk', async () => {
      const databases = Array.from({ length: 6 }, () => start());
      const [db] = await Promise.all(databases.map((database) => database.get()));
      const { rows } = await sql<{ table: string; here: boolean }>`
      select c.relname as table, n.nspname = current_schema() as here
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname = current_schema() order by 1`.execute(db!);
      expect(rows.map((row) => row.table)).toEqual([
        'customers',
        'dpop_proofs',
        'rate_counters',
        'revocation_messages',
        'revocations',
        'schema_migrations',
      ]);
      expect(await db!.selectFrom('customers').select('customer_id').execute()).toHaveLength(5);
      expect(existsSync(join(place.settings.dataDir, 'database.lock'))).toBe(false);
    });

    it('is not confused by the tables of another schema', async () => {
      const neighbour = await backend.open();
      const other = databaseOf(neighbour.settings);
      await (await other.get()).deleteFrom('customers').execute();
      expect(await (await start().get()).selectFrom('customers').selectAll().execute()).toHaveLength(5);
      await stop(other);
      await neighbour.cleanup();
    });

    it('survives the loss of idle and of busy connections', async () => {
      const database = start(relayed());
      const db = await database.get();
      await Promise.all([1, 2, 3].map(() => sql`select pg_sleep(0.05)`.execute(db)));
      const busy = expect(sql`select pg_sleep(5)`.execute(db)).rejects.toThrow();
      const held = expect(
        db.transaction().execute(async (step) => {
          await sql`select 1`.execute(step);
          relay.drop();
          await new Promise((resolve) => setTimeout(resolve, 100));
          await sql`select 1`.execute(step);
        }),
      ).rejects.toThrow();
      await Promise.all([busy, held]);
      expect(warned).toHaveBeenCalledWith(expect.stringContaining('A database connection was lost'));
      expect(await database.ready()).toBe(true);
      expect(await (await database.get()).selectFrom('customers').selectAll().execute()).toHaveLength(5);
    });

    it('stays up without a database, says so without credentials, and finds it when it comes', async () => {
      relay.refuse();
      const database = start(relayed());
      database.onApplicationBootstrap();
      await expect(database.get()).rejects.toThrow('The database cannot be opened');
      await new Promise(setImmediate);
      expect(failed).toHaveBeenCalledTimes(1);
      expect(String(failed.mock.calls[0])).not.toMatch(/s3cret|postgres:/);
      expect(await database.ready()).toBe(false);
      relay.accept();
      expect(await database.ready()).toBe(true);
      expect(failed).toHaveBeenCalledTimes(1);
    });

    it('says within seconds that a silent database is not ready, and does not wait for it to stop', async () => {
      const database = start(relayed());
      await database.get();
      relay.hold();
      const before = Date.now();
      expect(await Promise.all([database.ready(), database.ready()])).toEqual([false, false]);
      expect(Date.now() - before).toBeLessThan(4_000);
      await stop(database);
      expect(Date.now() - before).toBeLessThan(10_000);
    });
  },
);

function databaseOf(storage: StorageSettings): Database {
  return new Database(new ConfigService<Settings, true>({ storage }));
}

async function stop(...databases: Database[]): Promise<void> {
  await Promise.all(databases.map((database) => database.onApplicationShutdown()));
}
