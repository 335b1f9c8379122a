import { databaseBackends, type TestDatabase } from '../../test/support/database.js';
import { openConnection, type Connection } from '../storage/connection.js';
import {
  addRevocation,
  fingerprintOf,
  loadRevocations,
  removeExpired,
  withdrawRevocation,
  type NewRevocation,
} from './revocation-store.js';

const now = () => Math.floor(Date.now() / 1000);
const of = (value: string, expiresAt: number | null): NewRevocation => ({
  kind: 'subject',
  issuer: 'https://issuer.example',
  value,
  issuedBefore: now(),
  by: 'root',
  reason: null,
  expiresAt,
});

describe.each(databaseBackends())('fingerprintOf ($name)', (backend) => {
  let place: TestDatabase;
  let connection: Connection;

  beforeAll(async () => {
    place = await backend.open();
    connection = await openConnection(place.settings, () => undefined);
  }, 60_000);
  afterAll(async () => {
    await connection.close();
    await place.cleanup();
  });

  it('changes with the revocations in force only', async () => {
    const { db } = connection;
    const empty = await fingerprintOf(db);
    const { id } = await addRevocation(db, of('alice', now() + 600));
    const one = await fingerprintOf(db);
    expect(one).not.toBe(empty);
    // Expired rows do not count, removed or not.
    await addRevocation(db, of('carol', now() - 1));
    expect(await fingerprintOf(db)).toBe(one);
    await removeExpired(db);
    expect(await fingerprintOf(db)).toBe(one);
    // The same number, with another row.
    await addRevocation(db, of('bob', null));
    await withdrawRevocation(db, id);
    expect(await loadRevocations(db)).toMatchObject([{ value: 'bob' }]);
    expect([empty, one]).not.toContain(await fingerprintOf(db));
  });
});
