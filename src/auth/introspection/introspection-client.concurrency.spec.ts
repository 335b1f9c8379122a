/** Concurrent introspections: one request for one token, a maximum of requests, and a bounded queue. */
import { type Behaviour, IntrospectionEndpoint } from '../../../test/support/introspection-endpoint.js';
import type { IntrospectionSettings } from '../../config/settings.js';
import type { IntrospectionOptions } from './introspection-client.js';
import {
  answering,
  clientOf,
  outcome,
  raw,
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

describe('IntrospectionClient: concurrency', () => {
  it.each([0, 60])('shares one request for one token (cache of %i s)', async (cacheSeconds) => {
    const asked = await introspection({ cacheSeconds });
    const token = endpoint.issue();
    const release = endpoint.hold();
    const first = [1, 2, 3].map(() => asked.claims(token));
    await until(() => endpoint.calls > 0);
    const later = [1, 2].map(() => asked.claims(token));
    release();
    for (const claims of await Promise.all([...first, ...later])) expect(claims.sub).toBe('alice');
    expect(endpoint.calls).toBe(1);
  });

  it('shares a rejection, and asks again for the next call', async () => {
    const asked = await introspection({ cacheSeconds: 60 });
    const release = endpoint.hold();
    const all = [1, 2, 3].map(() => outcome(asked.claims('x')));
    await until(() => endpoint.calls > 0);
    release();
    expect(await Promise.all(all)).toEqual(Array(3).fill('401 token_revoked'));
    expect(endpoint.calls).toBe(1);
    endpoint.activate('x');
    expect(await asked.claims('x')).toMatchObject({ sub: 'alice' });
  });

  it('limits concurrent requests to the maximum, and continues below it', async () => {
    const asked = await introspection({ cacheSeconds: 60 }, { maxConcurrent: 2 });
    const [known, ...tokens] = [1, 2, 3, 4].map(() => endpoint.issue()) as [string, string, string, string];
    await asked.claims(known);
    const release = endpoint.hold();
    const open = tokens.map((token) => asked.claims(token));
    // A cached token needs no request.
    expect(await asked.claims(known)).toMatchObject({ sub: 'alice' });
    const joined = asked.claims(tokens[0]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(endpoint.calls).toBe(3);
    release();
    await Promise.all([...open, joined]);
    expect(endpoint.calls).toBe(4);
  });

  it('rejects a queued call after the time limit of an answer', async () => {
    const asked = await introspection({}, { maxConcurrent: 1, timeoutMs: 200 });
    endpoint.behaviour = () => undefined;
    const [first, second] = await Promise.all([refusal(asked.claims('a')), refusal(asked.claims('b'))]);
    expect([first?.status, first?.retryAfterSeconds]).toEqual([503, 5]);
    expect(second?.status).toBe(503);
  });

  it('answers 40 queued calls in their order', async () => {
    const asked = await introspection({}, { maxConcurrent: 2 });
    const tokens = Array.from({ length: 40 }, () => endpoint.issue());
    const done: number[] = [];
    await Promise.all(tokens.map((token, at) => asked.claims(token).then(() => done.push(at))));
    expect(done.sort((a, b) => a - b)).toEqual(tokens.map((_, at) => at));
    expect(endpoint.calls).toBe(40);
    expect(endpoint.most).toBeLessThanOrEqual(2);
  });

  it('rejects a call at once if the queue is full', async () => {
    const asked = await introspection({}, { maxConcurrent: 1, timeoutMs: 500 });
    const release = endpoint.hold();
    const waiting = Array.from({ length: 1024 }, (_, at) =>
      asked.claims(`x${at}`).catch((error: unknown) => error),
    );
    const started = performance.now();
    expect((await refusal(asked.claims('one more'))).retryAfterSeconds).toBe(1);
    expect(performance.now() - started).toBeLessThan(400);
    release();
    await Promise.all(waiting);
  });

  it('frees its place after every kind of failure', async () => {
    const asked = await introspection({}, { maxConcurrent: 1, timeoutMs: 100 });
    const failures: Behaviour[] = [
      raw('', 500),
      raw('', 401),
      () => undefined,
      (response) => response.socket?.destroy(),
      answering({ active: false }),
      answering({ active: true }),
    ];
    for (const behaviour of failures) {
      endpoint.behaviour = behaviour;
      expect((await refusal(asked.claims('x'))).retryAfterSeconds).not.toBe(1);
    }
    endpoint.behaviour = undefined;
    expect(await asked.claims(endpoint.issue())).toMatchObject({ sub: 'alice' });
  });
});
