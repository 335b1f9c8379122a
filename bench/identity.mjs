/**
 * What identity costs and how it holds: verification cold and cached in one run, key rotation under load, an issuer
 * that is down for longer than its keys are believed, and a flood of invented key ids.
 * `npm run build && node bench/identity.mjs`; takes about a minute. Times are of this machine: compare the ratios.
 */
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const { createApp } = require('../dist/create-app.js');
const { TokenVerifier } = require('../dist/auth/token-verifier.js');

const AUDIENCE = 'https://gate.example.com/mcp';

async function makeKey(kid, alg) {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** A real HTTP issuer: metadata and keys, and a count of how often the keys were asked for. */
async function startIssuer(keys) {
  const issuer = { keys, fetches: 0, down: false };
  const server = createServer((request, response) => {
    const documents = {
      '/jwks': { keys: issuer.keys.map(({ jwk }) => jwk) },
      '/.well-known/oauth-authorization-server': { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` },
    };
    if (request.url === '/jwks') issuer.fetches++;
    const document = issuer.down ? undefined : documents[request.url];
    response.writeHead(document ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer.url = `http://127.0.0.1:${server.address().port}`;
  issuer.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  issuer.mint = (key, { kid = key.kid, sub = 'alice' } = {}) => {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ client_id: 'agent', scope: 'database.read', jti: randomUUID() })
      .setProtectedHeader({ alg: key.alg, typ: 'at+jwt', kid })
      .setIssuer(issuer.url)
      .setAudience(AUDIENCE)
      .setSubject(sub)
      .setIssuedAt(now)
      .setExpirationTime(now + 3000)
      .sign(key.privateKey);
  };
  return issuer;
}

/** The real application of `dist`, with this issuer in an `IDENTITY_FILE`; its database is never waited for. */
async function startGate(issuer, entry) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const file = join(folder, 'identity.yaml');
  writeFileSync(file, JSON.stringify({ issuers: [{ issuer: issuer.url, audience: AUDIENCE, ...entry }] }));
  const app = await createApp({
    IDENTITY_FILE: file,
    TOOL_ALLOW_LIST: '*',
    DATA_DIR: folder,
    LOG_LEVEL: 'silent',
  });
  const verifier = app.nest.get(TokenVerifier);
  const present = async (token) => {
    try {
      await verifier.verify({ scheme: 'Bearer', token, proofs: [], certificate: () => undefined });
      return 'accepted';
    } catch (error) {
      return error.code;
    }
  };
  // The embedded database comes up in the background and holds up the process for seconds.
  await new Promise((resolve) => setTimeout(resolve, 8000));
  return {
    present,
    stop: async () => {
      await app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Interleaved rounds: fresh tokens, then the same ones again, so that both are measured under the same weather. */
async function coldAndCached() {
  const rows = [];
  for (const alg of ['RS256', 'ES256', 'EdDSA']) {
    const key = await makeKey('key-1', alg);
    const issuer = await startIssuer([key]);
    const gate = await startGate(issuer, {});
    const rounds = [];
    for (let round = 0; round < 7; round++) {
      const tokens = await Promise.all(Array.from({ length: 300 }, () => issuer.mint(key)));
      const [cold, cached] = [await timed(gate, tokens), await timed(gate, tokens)];
      rounds.push({ cold, cached });
    }
    const [cold, cached] = [median(rounds.map((one) => one.cold)), median(rounds.map((one) => one.cached))];
    rows.push({
      alg,
      'cold µs': cold.toFixed(1),
      'cached µs': cached.toFixed(1),
      ratio: (cold / cached).toFixed(1),
    });
    await gate.stop();
    issuer.stop();
  }
  console.table(rows);
}

async function timed(gate, tokens) {
  const start = process.hrtime.bigint();
  for (const token of tokens) {
    if ((await gate.present(token)) !== 'accepted') throw new Error('A good token was refused');
  }
  return Number(process.hrtime.bigint() - start) / 1000 / tokens.length;
}

/** Keys are replaced, at once and without warning, while valid tokens keep coming; every refusal counts. */
async function rotation() {
  let key = await makeKey('key-0', 'ES256');
  const issuer = await startIssuer([key]);
  const gate = await startGate(issuer, {});
  const answers = {};
  let longest = 0;
  let running = true;
  const worker = async () => {
    while (running) {
      // Minted by the key in force: a token signed by a key that has just been removed is not a valid one.
      const mine = key;
      const token = await issuer.mint(mine);
      const start = Date.now();
      const answer = await gate.present(token);
      longest = Math.max(longest, Date.now() - start);
      if (mine === key) answers[answer] = (answers[answer] ?? 0) + 1;
    }
  };
  const workers = Array.from({ length: 16 }, worker);
  for (let turn = 1; turn <= 4; turn++) {
    await pause(4000);
    const next = await makeKey(`key-${turn}`, 'ES256');
    issuer.keys = [next];
    key = next;
  }
  await pause(6000);
  running = false;
  await Promise.all(workers);
  console.log('rotation under load, 4 hard rotations:', {
    answers,
    'longest wait ms': longest,
    fetches: issuer.fetches,
  });
  await gate.stop();
  issuer.stop();
}

/** What fails when, while the issuer is down: refreshed every 2 s, believed for 10 s. */
async function outage() {
  const key = await makeKey('key-1', 'ES256');
  const issuer = await startIssuer([key]);
  const gate = await startGate(issuer, { key_refresh_seconds: 2, key_max_age_seconds: 10 });
  const known = await issuer.mint(key);
  await gate.present(known);
  issuer.down = true;
  const start = Date.now();
  const seen = [];
  for (let last = ''; Date.now() - start < 16_000; await pause(100)) {
    const answers = [
      await gate.present(known),
      await gate.present(await issuer.mint(key, { sub: randomUUID() })),
    ];
    if (answers.join() !== last)
      seen.push({
        'after s': ((Date.now() - start) / 1000).toFixed(1),
        known: answers[0],
        fresh: answers[1],
      });
    last = answers.join();
  }
  issuer.down = false;
  const back = Date.now();
  while ((await gate.present(known)) !== 'accepted') await pause(50);
  seen.push({
    'after s': `back: ${((Date.now() - back) / 1000).toFixed(1)}`,
    known: 'accepted',
    fresh: await gate.present(await issuer.mint(key)),
  });
  console.log('issuer down, keys refreshed every 2 s and believed for 10 s:');
  console.table(seen);
  await gate.stop();
  issuer.stop();
}

/** 10,000 tokens with invented key ids, all at once, beside a person with a good one. */
async function flood() {
  const key = await makeKey('key-1', 'ES256');
  const issuer = await startIssuer([key]);
  const gate = await startGate(issuer, {});
  const good = await issuer.mint(key);
  await gate.present(good);
  const forged = await Promise.all(
    Array.from({ length: 10_000 }, () => issuer.mint(key, { kid: randomUUID() })),
  );
  const before = issuer.fetches;
  const start = Date.now();
  const answers = {};
  const attack = forged.map(async (token) => {
    const answer = await gate.present(token);
    answers[answer] = (answers[answer] ?? 0) + 1;
  });
  const beside = { [await gate.present(good)]: 1 };
  await Promise.all(attack);
  console.log('10,000 invented key ids at once:', {
    fetches: issuer.fetches - before,
    seconds: (Date.now() - start) / 1000,
    answers,
    beside,
  });
  await gate.stop();
  issuer.stop();
}

await coldAndCached();
await rotation();
await outage();
await flood();
process.exit(0);
