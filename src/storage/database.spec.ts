import { Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { type Kysely, sql } from 'kysely';
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestDatabase, databaseBackends, embeddedBackend } from '../../test/support/database.js';
import { Relay } from '../../test/support/relay.js';
import type { Settings, StorageSettings } from '../config/settings.js';
import { Database } from './database.js';
import { type Migration, migrate } from './migrate.js';
import { PRODUCT_MIGRATIONS } from './migrations.js';
import type { Tables } from './tables.js';

jest.setTimeout(120_000);

const PRODUCT_TABLES = [
  'dpop_proofs',
  'rate_counters',
  'revocation_messages',
  'revocations',
  'schema_migrations',
];

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

  it('opens once for all callers, with the product tables only', async () => {
    const database = start();
    const [one, other] = await Promise.all([database.get(), database.get()]);
    expect(one).toBe(other);
    expect(await tablesIn(one)).toEqual(PRODUCT_TABLES);
    expect(await database.ready()).toBe(true);
  });

  it('has the same types on every database', async () => {
    const db = await start().get();
    const { rows } = await sql`
      select count(*) as count, 9007199254740993::bigint as big, 1.50::numeric as exact, true as yes,
             '{"a":[1]}'::jsonb as json, '2026-01-02T03:04:05Z'::timestamptz as at from schema_migrations`.execute(
      db,
    );
    expect(rows).toEqual([
      {
        count: '4',
        big: '9007199254740993',
        exact: '1.50',
        yes: true,
        json: { a: [1] },
        at: new Date('2026-01-02T03:04:05Z'),
      },
    ]);
  });

  it('keeps written and deleted rows across restarts', async () => {
    const before = start();
    const db = await before.get();
    await db.insertInto('revocations').values(['alice', 'bob', 'carol'].map(revocationOf)).execute();
    await db.deleteFrom('revocations').where('value', '=', 'carol').execute();
    await db.updateTable('revocations').set({ reason: 'left' }).where('value', '=', 'bob').execute();
    await stop(before);

    const after = await start().get();
    const stored = await after
      .selectFrom('revocations')
      .select(['value', 'reason'])
      .orderBy('value')
      .execute();
    expect(stored).toEqual([
      { value: 'alice', reason: null },
      { value: 'bob', reason: 'left' },
    ]);
  });

  it('rejects a revocation of an unknown kind', async () => {
    const db = await start().get();
    const added = db.insertInto('revocations').values({ ...revocationOf('alice'), kind: 'person' });
    await expect(added.execute()).rejects.toMatchObject({ code: '23514' });
  });

  it('applies all missing steps or none', async () => {
    const db = await start().get();
    const extra: Migration = {
      name: '9001_extra',
      up: async (step) => void (await sql`create table extra (id integer)`.execute(step)),
    };
    const broken: Migration = { name: '9002_broken', up: () => Promise.reject(new Error('broken step')) };

    const withSteps = (...steps: Migration[]) => ({
      ...PRODUCT_MIGRATIONS,
      steps: [...PRODUCT_MIGRATIONS.steps, ...steps],
    });

    await expect(migrate(db, withSteps(extra, broken))).rejects.toThrow('broken step');
    await expect(sql`select * from extra`.execute(db)).rejects.toMatchObject({ code: '42P01' });
    await migrate(db, withSteps(extra));
    await migrate(db, withSteps(extra));
    expect((await sql`select * from extra`.execute(db)).rows).toEqual([]);

    const refused = migrate(db, PRODUCT_MIGRATIONS);
    await expect(refused).rejects.toThrow('newer version of this program: it has 9001_extra');
    await sql`drop table extra`.execute(db);
    await sql`delete from schema_migrations where name = '9001_extra'`.execute(db);
  });

  it('accepts a database with retired steps', async () => {
    const db = await start().get();
    for (const name of PRODUCT_MIGRATIONS.retired ?? [])
      await sql`insert into schema_migrations (name) values (${name})`.execute(db);
    await expect(migrate(db, PRODUCT_MIGRATIONS)).resolves.toBeUndefined();
    expect(await tablesIn(db)).toEqual(PRODUCT_TABLES);
  });

  it('rejects calls after the shutdown', async () => {
    const database = start();
    await database.get();
    await stop(database);
    await stop(database);
    await expect(database.get()).rejects.toThrow('The database is closed');
    expect(await database.ready()).toBe(false);
  });

  it('closes a connection that is still being opened', async () => {
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

  it('rejects a second process until the first has ended', async () => {
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

  it('creates the database again after an interrupted initialization', async () => {
    const unfinished = `${folderOf()}.unfinished`;
    mkdirSync(join(unfinished, 'global'), { recursive: true });
    writeFileSync(join(unfinished, 'PG_VERSION'), '');
    mkdirSync(folderOf());
    const database = databaseOf(place.settings);
    await expect(database.get()).resolves.toBeDefined();
    expect(existsSync(unfinished)).toBe(false);
    await stop(database);
  });

  it('names a damaged folder and the remedy, and does not change it', async () => {
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

  it('releases the lock if the database cannot be opened', async () => {
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

    it('is created once by several starters, in the schema of the search path, without files', async () => {
      const databases = Array.from({ length: 6 }, () => start());
      const [db] = await Promise.all(databases.map((database) => database.get()));
      expect(await tablesIn(db!)).toEqual(PRODUCT_TABLES);
      expect(existsSync(join(place.settings.dataDir, 'database.lock'))).toBe(false);
    });

    it('ignores tables of another schema', async () => {
      const neighbour = await backend.open();
      const other = databaseOf(neighbour.settings);
      await (await other.get()).insertInto('revocations').values(revocationOf('alice')).execute();
      expect(await (await start().get()).selectFrom('revocations').selectAll().execute()).toEqual([]);
      await stop(other);
      await neighbour.cleanup();
    });

    it('recovers from the loss of idle and busy connections', async () => {
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
      expect(warned).toHaveBeenCalledWith(
        { event: 'database.connection_lost' },
        expect.stringContaining('Database: connection lost'),
      );
      expect(await database.ready()).toBe(true);
      expect(await (await database.get()).selectFrom('revocations').selectAll().execute()).toEqual([]);
    });

    it('runs without a database, reports it without credentials, and connects later', async () => {
      relay.refuse();
      const database = start(relayed());
      database.onApplicationBootstrap();
      await expect(database.get()).rejects.toThrow('The database cannot be opened');
      await new Promise(setImmediate);
      expect(failed).toHaveBeenCalledTimes(1);
      expect(JSON.stringify(failed.mock.calls[0])).not.toMatch(/s3cret|postgres:/);
      expect(await database.ready()).toBe(false);
      relay.accept();
      expect(await database.ready()).toBe(true);
      expect(failed).toHaveBeenCalledTimes(1);
    });

    it('reports a silent database as not ready within seconds, and does not block the shutdown', async () => {
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

async function tablesIn(db: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname = current_schema() order by 1`.execute(db);
  return rows.map(({ name }) => name);
}

function revocationOf(subject: string) {
  const issuer = 'https://issuer.example';
  return { kind: 'subject', issuer, value: subject, issued_before: '1', revoked_by: 'test' };
}

function databaseOf(storage: StorageSettings): Database {
  return new Database(new ConfigService<Settings, true>({ storage }));
}

async function stop(...databases: Database[]): Promise<void> {
  await Promise.all(databases.map((database) => database.onApplicationShutdown()));
}
