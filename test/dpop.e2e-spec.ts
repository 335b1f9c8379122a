/** DPoP-bound tokens (RFC 9449), with proofs from an independent client library. */
import { generateKeyPair, generateProof, type KeyPair } from 'dpop';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gate, MODERN, temporaryFolder, type Answer } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

interface Sent {
  readonly scheme?: string;
  readonly proof?: string | readonly string[];
}

const folder = temporaryFolder();
let issuer: TestIssuer;
let lenient: Gate;
let strict: Gate;
let withNonce: Gate;
let keys: KeyPair;
let others: KeyPair;
let jkt: string;

beforeAll(async () => {
  issuer = await TestIssuer.start();
  [keys, others] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('Ed25519')]);
  jkt = await thumbprint(keys);
  writeFileSync(join(folder.path, 'nonce'), 'a secret that all instances share');
  const imports = [ProbeModule];
  const start = (entry: object, file: object = {}) =>
    Gate.start({
      issuer,
      imports,
      database: false,
      identity: { issuers: [{ issuer: issuer.url, ...entry }], ...file },
    });
  lenient = await start({});
  strict = await start({ dpop: 'required' });
  withNonce = await start({}, { dpop_nonce_secret_file: join(folder.path, 'nonce') });
}, 120_000);
afterAll(async () => {
  await Promise.all([lenient, strict, withNonce].map((gate) => gate.close()));
  await issuer.stop();
  folder.remove();
});

async function thumbprint(pair: KeyPair): Promise<string> {
  return calculateJwkThumbprint(await exportJWK(pair.publicKey));
}

function bound(gate: Gate, claims: object = {}): Promise<string> {
  return gate.token({ scope: 'probe', cnf: { jkt }, ...claims });
}

async function send(gate: Gate, token: string, { scheme = 'DPoP', proof }: Sent): Promise<Answer> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const params = { name: 'echo', arguments: { text: 'hello' }, _meta };
  return gate.post(
    undefined,
    { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
    {
      authorization: `${scheme} ${token}`,
      ...(proof !== undefined && { dpop: String(proof) }),
      'mcp-protocol-version': MODERN,
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
    },
  );
}

const runs = (gate: Gate) => gate.app.nest.get(Runs).names.length;
const proofFor = (gate: Gate, token: string, nonce?: string) =>
  generateProof(keys, gate.url, 'POST', nonce, token);

/** Checks a client error: response, one record, and no tool run. */
async function expectUnbound(gate: Gate, token: string, sent: Sent, challenge: RegExp): Promise<void> {
  const before = { runs: runs(gate), lines: (await gate.settledAuditLog()).length };
  const answer = await send(gate, token, sent);
  expect([answer.status, answer.body.error.data.reason]).toEqual([401, 'token_binding']);
  expect(answer.headers.get('www-authenticate')).toMatch(challenge);
  expect(answer.headers.get('www-authenticate')).toContain('resource_metadata="');
  expect(runs(gate)).toBe(before.runs);
  const lines = gate.auditLog().slice(before.lines);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ event: 'authentication', decision: 'deny', reason: 'token_binding' });
}

const INVALID_TOKEN = /^DPoP error="invalid_token".*algs="ES256 /;
const INVALID_PROOF = /^DPoP error="invalid_dpop_proof".*algs="ES256 /;

it('accepts a bound token with a proof, and each proof once', async () => {
  const token = await bound(lenient);
  const proof = await proofFor(lenient, token);
  expect((await send(lenient, token, { proof })).status).toBe(200);
  await expectUnbound(lenient, token, { proof }, INVALID_PROOF);
  expect((await send(lenient, token, { proof: await proofFor(lenient, token) })).status).toBe(200);
});

it('accepts every algorithm of the client library', async () => {
  for (const alg of ['ES256', 'RS256', 'PS256', 'Ed25519'] as const) {
    const pair = await generateKeyPair(alg);
    const token = await lenient.token({ scope: 'probe', cnf: { jkt: await thumbprint(pair) } });
    const proof = await generateProof(pair, lenient.url, 'POST', undefined, token);
    expect([alg, (await send(lenient, token, { proof })).status]).toEqual([alg, 200]);
  }
}, 120_000);

it('rejects a bound token in the Bearer scheme, with or without a proof', async () => {
  const token = await bound(lenient);
  await expectUnbound(lenient, token, { scheme: 'Bearer' }, INVALID_TOKEN);
  await expectUnbound(
    lenient,
    token,
    { scheme: 'Bearer', proof: await proofFor(lenient, token) },
    INVALID_TOKEN,
  );
});

it.each<[string, (token: string) => Promise<Sent>, RegExp]>([
  ['no proof', async () => ({}), INVALID_PROOF],
  ['a malformed proof', async () => ({ proof: 'abc' }), INVALID_PROOF],
  [
    'two proofs',
    async (token) => ({ proof: [await proofFor(lenient, token), await proofFor(lenient, token)] }),
    INVALID_PROOF,
  ],
  [
    'a proof of another key',
    async (token) => ({ proof: await generateProof(others, lenient.url, 'POST', undefined, token) }),
    INVALID_TOKEN,
  ],
  [
    'a proof for another token',
    async (token) => ({ proof: await proofFor(lenient, `${token}x`) }),
    INVALID_PROOF,
  ],
  [
    'a proof for no token',
    async () => ({ proof: await generateProof(keys, lenient.url, 'POST') }),
    INVALID_PROOF,
  ],
  [
    'a proof for another method',
    async (token) => ({ proof: await generateProof(keys, lenient.url, 'GET', undefined, token) }),
    INVALID_PROOF,
  ],
  ['a proof for another server', async (token) => ({ proof: await proofFor(strict, token) }), INVALID_PROOF],
  [
    'a proof for another path',
    async (token) => ({ proof: await generateProof(keys, `${lenient.origin}/`, 'POST', undefined, token) }),
    INVALID_PROOF,
  ],
])('rejects a bound token with %s', async (_name, sent, challenge) => {
  const token = await bound(lenient);
  await expectUnbound(lenient, token, await sent(token), challenge);
});

it.each<[string, (token: string) => Promise<Sent>]>([
  ['a valid proof', async (token) => ({ proof: await proofFor(lenient, token) })],
  ['no proof', async () => ({})],
  ['a malformed proof', async () => ({ proof: 'abc' })],
])('challenges an unbound token with %s in the DPoP scheme with a Bearer challenge', async (_name, sent) => {
  const token = await lenient.token({ scope: 'probe' });
  const challenge =
    /^Bearer error="invalid_token", error_description="The token is not bound to a key: present it as a Bearer token", (?!.*algs=)/;
  await expectUnbound(lenient, token, await sent(token), challenge);
  expect((await send(lenient, token, { scheme: 'Bearer' })).status).toBe(200);
});

it('requests a bound token when an unbound token arrives in the DPoP scheme and DPoP is required', async () => {
  const token = await strict.token({ scope: 'probe' });
  const challenge =
    /^DPoP error="invalid_token", error_description="This server requires tokens that are bound to a key/;
  await expectUnbound(strict, token, { proof: await proofFor(strict, token) }, challenge);
  await expectUnbound(strict, token, {}, challenge);
});

it('does not suggest the Bearer scheme for a token with an unknown binding', async () => {
  const token = await lenient.token({ scope: 'probe', cnf: { kid: 'x' } });
  await expectUnbound(
    lenient,
    token,
    {},
    /^DPoP error="invalid_token", error_description="The token has a binding/,
  );
});

it('uses the scheme of the request in the challenge of a later denial', async () => {
  const token = await bound(lenient, { scope: 'other' });
  const answer = await send(lenient, token, { proof: await proofFor(lenient, token) });
  expect(answer.status).toBe(403);
  expect(answer.headers.get('www-authenticate')).toMatch(/^DPoP error="insufficient_scope".*scope="probe"/);
});

it('rejects an unbound token with "dpop: required" and announces the requirement', async () => {
  const token = await strict.token({ scope: 'probe' });
  await expectUnbound(strict, token, { scheme: 'Bearer' }, INVALID_TOKEN);
  const own = await bound(strict);
  expect((await send(strict, own, { proof: await proofFor(strict, own) })).status).toBe(200);
  const anonymous = await strict.callTool(undefined, 'echo', { text: 'hello' });
  expect(anonymous.headers.get('www-authenticate')).toMatch(/^DPoP .*algs="ES256 .*resource_metadata=/);
  expect(anonymous.headers.get('www-authenticate')).not.toContain('error');
  const { body } = await strict.get('/.well-known/oauth-protected-resource');
  expect(body).toMatchObject({ dpop_bound_access_tokens_required: true });
  expect(body.dpop_signing_alg_values_supported).toContain('ES256');
  expect(body.dpop_signing_alg_values_supported.join()).not.toMatch(/HS|none/);
});

it('requests a nonce when nonces are enabled and accepts the issued nonce', async () => {
  const token = await bound(withNonce);
  await expectUnbound(
    withNonce,
    token,
    { proof: await proofFor(withNonce, token) },
    /^DPoP error="use_dpop_nonce"/,
  );
  const refused = await send(withNonce, token, { proof: await proofFor(withNonce, token, 'invented') });
  expect(refused.headers.get('www-authenticate')).toMatch(/^DPoP error="use_dpop_nonce"/);
  const nonce = refused.headers.get('dpop-nonce') as string;
  expect(nonce.length).toBeGreaterThan(20);
  const answer = await send(withNonce, token, { proof: await proofFor(withNonce, token, nonce) });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('dpop-nonce')).toBeTruthy();
  const bearer = await withNonce.callTool(await withNonce.token({ scope: 'probe' }), 'echo', { text: 'x' });
  expect([bearer.status, bearer.headers.get('dpop-nonce')]).toEqual([200, null]);
});

it('writes no proof and no thumbprint to the audit log', () => {
  for (const gate of [lenient, strict, withNonce]) {
    expect(JSON.stringify(gate.auditLog())).not.toContain(jkt);
    expect(JSON.stringify(gate.auditLog())).not.toMatch(/eyJ/);
  }
});
