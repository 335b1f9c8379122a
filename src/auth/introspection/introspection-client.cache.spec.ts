/** The cache of introspected tokens: its lifetime, its key and its limits. */
import type { LRUCache } from 'lru-cache';
import { createHash } from 'node:crypto';
import { IntrospectionEndpoint } from '../../../test/support/introspection-endpoint.js';
import type { IntrospectionSettings } from '../../config/settings.js';
import type { IntrospectionOptions } from './introspection-client.js';
import {
  answering,
  clientOf,
  now,
  outcome,
  refusal,
  startEndpoint,
} from '../../../test/support/introspection-client.js';
import { until } from '../../../test/support/remote.js';

let endpoint: IntrospectionEndpoint;

beforeEach(async () => {
  endpoint = await startEndpoint();
});
afterEach(() => endpoint.stop());

const introspection = (
  settings: Partial<IntrospectionSettings> = {},
  options: Partial<IntrospectionOptions> = {},
) => clientOf(endpoint, settings, options);

describe('IntrospectionClient: cache', () => {
  /** Sets the monotonic clock, which the cache reads once per millisecond. */
  const setClock = async (clock: jest.SpyInstance<number>, milliseconds: number) => {
    clock.mockReturnValue(milliseconds);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('caches a response for cacheSeconds, limited by the expiry of the token', async () => {
    const clock = jest.spyOn(performance, 'now');
    try {
      const asked = await introspection({ cacheSeconds: 10 });
      const long = endpoint.issue();
      const short = endpoint.issue({ exp: Date.now() / 1000 + 4 });
      const started = performance.now();
      const at = (seconds: number) => setClock(clock, started + seconds * 1000);
      await at(0);
      const calls = async (token: string) => {
        await asked.claims(token);
        return endpoint.calls;
      };
      expect(await calls(long)).toBe(1);
      expect(await calls(short)).toBe(2);
      await at(2);
      expect(await calls(long)).toBe(2);
      expect(await calls(short)).toBe(2);
      await at(4.1);
      expect(await calls(short)).toBe(3);
      await at(9.9);
      expect(await calls(long)).toBe(3);
      await at(10.1);
      expect(await calls(long)).toBe(4);
    } finally {
      clock.mockRestore();
    }
  });

  it('counts the lifetime from the request', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000_000);
    try {
      const asked = await introspection({ cacheSeconds: 10 });
      const token = endpoint.issue();
      const release = endpoint.hold();
      const slow = asked.claims(token);
      await until(() => endpoint.calls === 1);
      await setClock(clock, 1_004_000);
      release();
      await slow;
      await setClock(clock, 1_009_900);
      await asked.claims(token);
      expect(endpoint.calls).toBe(1);
      await setClock(clock, 1_010_100);
      await asked.claims(token);
      expect(endpoint.calls).toBe(2);
    } finally {
      clock.mockRestore();
    }
  });

  it('caches no response if cacheSeconds is 0', async () => {
    const clock = jest.spyOn(performance, 'now').mockReturnValue(1_000_000);
    try {
      const asked = await introspection({ cacheSeconds: 0 });
      const token = endpoint.issue();
      await asked.claims(token);
      endpoint.revoke(token);
      expect(await outcome(asked.claims(token))).toBe('401 token_revoked');
      expect(asked).toMatchObject({ active: { size: 0 } });
    } finally {
      clock.mockRestore();
    }
  });

  it('caches no response for an expired token', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const token = endpoint.issue({ exp: now() - 1 });
    await asked.claims(token);
    endpoint.revoke(token);
    expect(await outcome(asked.claims(token))).toBe('401 token_revoked');
  });

  it.each<[string, object]>([
    ['an inactive token', { active: false }],
    ['a refresh token', { active: true, token_type: 'refresh_token', exp: 4_000_000_000 }],
    ['a token of another issuer', { active: true, iss: 'https://other.example', exp: 4_000_000_000 }],
    ['a token without exp', { active: true }],
  ])('caches no rejection of %s', async (_, answer) => {
    const asked = await introspection({ cacheSeconds: 60 });
    endpoint.behaviour = answering(answer);
    await refusal(asked.claims('x'));
    endpoint.behaviour = undefined;
    endpoint.activate('x');
    expect(await asked.claims('x')).toMatchObject({ sub: 'alice' });
    expect(endpoint.calls).toBe(2);
  });

  it('uses an answer for exactly one token', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const [alice, bob] = [endpoint.issue(), endpoint.issue({ sub: 'bob' })];
    for (const _ of [1, 2]) {
      expect((await asked.claims(alice)).sub).toBe('alice');
      expect((await asked.claims(bob)).sub).toBe('bob');
      expect(await outcome(asked.claims(alice.toUpperCase()))).toBe('401 token_revoked');
    }
  });

  it('stores a digest in place of the token', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const token = endpoint.issue();
    await asked.claims(token);
    const { active } = asked as unknown as { active: LRUCache<string, object> };
    expect([...active.entries()]).toEqual([
      [createHash('sha256').update(token).digest('base64'), expect.objectContaining({ sub: 'alice' })],
    ]);
  });

  it('holds at most 10000 answers', async () => {
    expect(await introspection({ cacheSeconds: 60 })).toMatchObject({ active: { max: 10_000 } });
  });
});
