/**
 * Cost and robustness of token validation: cold and cached verification, key rotation under load, an issuer outage
 * longer than the key lifetime, and a flood of unknown key ids. `npm run build && node bench/identity.mjs`; takes
 * about a minute. Times depend on the machine: compare the ratios.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeKey, startIssuer } from './issuer.mjs';
import { median } from './measure.mjs';

const require = createRequire(import.meta.url);
const { createApp } = require('../dist/create-app.js');
const { TokenVerifier } = require('../dist/auth/verify/token-verifier.js');

const AUDIENCE = 'https://gate.example.com/mcp';

/** The built application with this issuer in an `IDENTITY_FILE`; the database is not used. */
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
  // The embedded database starts in the background and blocks the process for seconds.
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

/** Interleaved rounds: fresh tokens, then the same tokens again, so that both have the same conditions. */
async function coldAndCached() {
  const rows = [];
  for (const alg of ['RS256', 'ES256', 'EdDSA']) {
    const key = await makeKey('key-1', alg);
    const issuer = await startIssuer([key], AUDIENCE);
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
    if ((await gate.present(token)) !== 'accepted') throw new Error('A valid token was rejected');
  }
  return Number(process.hrtime.bigint() - start) / 1000 / tokens.length;
}

/** Replaces keys without a warning while valid tokens arrive; counts every rejection. */
async function rotation() {
  let key = await makeKey('key-0', 'ES256');
  const issuer = await startIssuer([key], AUDIENCE);
  const gate = await startGate(issuer, {});
  const answers = {};
  let longest = 0;
  let running = true;
  const worker = async () => {
    while (running) {
      // Signs with the current key: a token of a removed key is invalid.
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

/** Prints failures during an issuer outage: keys are refreshed every 2 s and valid for 10 s. */
async function outage() {
  const key = await makeKey('key-1', 'ES256');
  const issuer = await startIssuer([key], AUDIENCE);
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
  console.log('issuer outage, keys refreshed every 2 s and valid for 10 s:');
  console.table(seen);
  await gate.stop();
  issuer.stop();
}

/** 10,000 concurrent tokens with unknown key ids, beside a user with a valid token. */
async function flood() {
  const key = await makeKey('key-1', 'ES256');
  const issuer = await startIssuer([key], AUDIENCE);
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
  console.log('10,000 concurrent unknown key ids:', {
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
