import fc from 'fast-check';
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { canonicalJson } from '../lib/canonical-json.js';
import type { JsonObject } from '../lib/json.js';
import { isSignedBy, encodeWithHash, signCheckpoint, decodeVerified } from './chain.js';
import { appendToChain } from './append-to-chain.js';
import { changeRecord, type AuditRecord } from './record.js';
import { publicJwk, signingKeyOf } from './signing-key.js';

const pem = () =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const KEY = signingKeyOf(pem(), 'test');
const OTHER = signingKeyOf(pem(), 'other');
const TIME = '2026-11-22T10:00:00.000Z';

/** Real records always have members on both sides of `hash`. */
const records: fc.Arbitrary<JsonObject> = fc
  .dictionary(
    fc.string().filter((name) => name !== 'hash' && name !== '__proto__'),
    fc.jsonValue({ maxDepth: 3 }),
  )
  .map((more) => JSON.parse(JSON.stringify({ ...more, event: 'decision', id: 'x' })) as JsonObject);

it('encodes the canonical JSON of the record with its hash as a member', () => {
  fc.assert(
    fc.property(records, (record) => {
      const { line, hash } = encodeWithHash(record);
      expect(hash).toBe(createHash('sha256').update(canonicalJson(record)).digest('hex'));
      expect(line).toBe(canonicalJson({ ...record, hash }));
      expect(decodeVerified(line)).toEqual({ ...record, hash });
    }),
  );
});

it('detects every change of one character in a line', () => {
  fc.assert(
    fc.property(records, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (record, seed, character) => {
      const { line } = encodeWithHash(record);
      const at = seed % line.length;
      fc.pre(line[at] !== character);
      expect(decodeVerified(line.slice(0, at) + character + line.slice(at + 1))).toBeUndefined();
      expect(decodeVerified(line.slice(0, at) + line.slice(at + 1))).toBeUndefined();
      expect(decodeVerified(line.slice(0, at) + character + line.slice(at))).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});

it('decodes a record whose arguments contain its own hash', () => {
  const { hash } = encodeWithHash({ event: 'a', id: 'b' });
  const record = { arguments: { event: 'a', hash, id: 'b' }, event: 'a', id: 'b' };
  expect(decodeVerified(encodeWithHash(record).line)).toEqual({
    ...record,
    hash: encodeWithHash(record).hash,
  });
});

it.each(['', '[]', 'null', '{}', '{"hash":1}', '{"hash":"00"}', 'x'])(
  'does not decode %j as a record',
  (line) => {
    expect(decodeVerified(line)).toBeUndefined();
  },
);

describe('checkpoint signature', () => {
  const checkpoint = { kind: 'interval' as const, key_id: KEY.id };
  const line = appendToChain(
    [checkpoint],
    { seq: 4, hash: 'ab' },
    { instance: 'gate-1', key: KEY, time: TIME },
  ).text;
  const record = decodeVerified(line.trimEnd()) as JsonObject & { checkpoint: JsonObject };

  it('verifies with its own key and not with another', () => {
    expect(record).toMatchObject({ seq: 5, prev: 'ab', event: 'checkpoint', checkpoint });
    expect(isSignedBy(record, KEY.publicKey)).toBe(true);
    expect(isSignedBy(record, OTHER.publicKey)).toBe(false);
  });

  it.each<[string, (one: typeof record) => JsonObject]>([
    ['another place', (one) => ({ ...one, seq: 6 })],
    ['another history', (one) => ({ ...one, prev: 'ac' })],
    ['another chain', (one) => ({ ...one, instance: 'gate-2' })],
    ['another time', (one) => ({ ...one, time: '2026-11-22T10:00:00.001Z' })],
    ['another kind', (one) => ({ ...one, checkpoint: { ...one.checkpoint, kind: 'close' } })],
    ['no signature', (one) => ({ ...one, checkpoint: { kind: 'interval', key_id: KEY.id } })],
    ['an empty signature', (one) => ({ ...one, checkpoint: { ...one.checkpoint, signature: '' } })],
    ['no checkpoint', ({ checkpoint: _checkpoint, ...rest }) => rest],
  ])('does not verify a checkpoint with %s', (_, change) => {
    expect(isSignedBy(change(record), KEY.publicKey)).toBe(false);
  });

  it('excludes the hash and the signature from the signed bytes', () => {
    const { hash: _, ...rest } = record;
    const { signature: __, ...unsigned } = record.checkpoint;
    expect(signCheckpoint({ ...rest, checkpoint: unsigned }, KEY.privateKey)).toBe(
      record.checkpoint.signature,
    );
  });
});

it('chains each record to the one before', () => {
  const { change: _, ...blank } = changeRecord({ what: 'key', from: '', to: '' }, 'id');
  const all: AuditRecord[] = ['a', 'b'].map((id) => ({ ...blank, id, event: 'list' }));
  const { text, end } = appendToChain(
    all,
    { seq: 0, hash: null },
    { instance: 'gate-1', key: KEY, time: TIME },
  );
  const [first, second] = text.trimEnd().split('\n').map(decodeVerified);
  expect(first).toMatchObject({ v: 1, seq: 1, prev: null, id: 'a', time: TIME, instance: 'gate-1' });
  expect(second).toMatchObject({ seq: 2, prev: first?.hash, id: 'b' });
  expect(end).toEqual({ seq: 2, hash: second?.hash });
});

describe('audit signing key', () => {
  it('has the thumbprint of RFC 8037, appendix A.3', () => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
    expect(publicJwk(createPublicKey({ key: jwk, format: 'jwk' }))).toEqual({
      ...jwk,
      kid: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
      alg: 'EdDSA',
      use: 'sig',
    });
  });

  it.each([
    ['no PEM', 'secret-text', 'is not a private key in PEM'],
    [
      'another kind',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
      'is not an Ed25519 key',
    ],
  ])('rejects a key file (%s) without quoting its content', (_, text, why) => {
    expect(() => signingKeyOf(text as string, 'file')).toThrow(why);
    expect(() => signingKeyOf(text as string, 'file')).not.toThrow('secret-text');
  });
});
