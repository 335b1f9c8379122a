import { databaseBackends, type TestDatabase } from '../../test/support/database.js';
import { Relay } from '../../test/support/relay.js';
import { openPool } from './pool.js';

const postgres = databaseBackends().find(({ name }) => name === 'postgres');

(postgres ? describe : describe.skip)('openPool', () => {
  let place: TestDatabase;
  let relay: Relay;

  beforeAll(async () => {
    place = (await postgres?.open()) as TestDatabase;
    relay = await Relay.start();
  });
  afterAll(async () => {
    await relay.stop();
    await place.cleanup();
  });

  const open = (size: number) =>
    openPool(relay.urlOf(place.settings.databaseUrl as string), {
      name: 'test',
      size,
      connectMs: 1_000,
      statementMs: 1_000,
      answerMs: 200,
    });

  it('discards a silent connection, also one returned as healthy', async () => {
    const pool = open(1);
    const client = await pool.connect();
    await client.query('select 1');
    relay.silence();
    await expect(client.query('select 1')).rejects.toThrow('Query read timeout');
    client.release();
    expect((await pool.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
    await pool.end();
  });

  it('keeps a connection after a failed statement', async () => {
    const pool = open(1);
    const pid = async () => (await pool.query('select pg_backend_pid() as pid')).rows[0];
    const before = await pid();
    const client = await pool.connect();
    await expect(client.query('select nothing')).rejects.toMatchObject({ code: '42703' });
    client.release();
    expect(await pid()).toEqual(before);
    await pool.end();
  });
});
