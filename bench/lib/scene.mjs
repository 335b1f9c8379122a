/** The environment of the servers: an issuer with keys, tokens and a database. */
import { makeKey, startIssuer } from '../issuer.mjs';
import { makeDatabase } from './database.mjs';
import { badTokens } from './door.mjs';
import { ALGORITHMS, AUDIENCE } from './workload.mjs';

const REPEATED = 64;

/** @param fresh number of single-use tokens by algorithm */
export async function setScene({ say, fresh }) {
  const keys = await Promise.all(ALGORITHMS.map((algorithm) => makeKey(`key-${algorithm}`, algorithm)));
  const forger = await makeKey('forger', 'RS256');
  const issuer = await startIssuer(keys, AUDIENCE);
  const tokens = await makeTokens(issuer, keys, { repeated: REPEATED, fresh });
  const bad = await badTokens(issuer, keys[0], forger);
  const database = await makeDatabase();
  if (!database) say('PostgreSQL is unavailable: cells that need it are skipped');
  return {
    issuer: issuer.url,
    tokens,
    /** Additional repeated tokens of the same users. */
    mint: (count) => mintSome(issuer, keys[0], count, 'person'),
    bad,
    say,
    databaseUrl: database?.url,
    leave: async () => {
      issuer.stop();
      await database?.drop();
    },
  };
}

/** Tokens of both algorithms: `repeated` tokens, one per user, and `fresh` tokens for single use. */
async function makeTokens(issuer, keys, { repeated, fresh }) {
  const made = {};
  for (const key of keys) {
    made[key.alg] = {
      repeated: await mintSome(issuer, key, repeated, 'person'),
      fresh: await mintSome(issuer, key, fresh[key.alg] ?? 0, 'guest'),
    };
  }
  return made;
}

async function mintSome(issuer, key, count, name) {
  const tokens = [];
  while (tokens.length < count) {
    const some = Array.from({ length: Math.min(100, count - tokens.length) }, (_, at) =>
      issuer.mint(key, { sub: `${name}-${tokens.length + at}` }),
    );
    tokens.push(...(await Promise.all(some)));
  }
  return tokens;
}
