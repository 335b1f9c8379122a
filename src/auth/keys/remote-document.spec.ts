import { createHook } from 'node:async_hooks';
import { TestIssuer } from '../../../test/support/issuer.js';
import { CollectedLog, moveWallClock, until } from '../../../test/support/remote.js';
import { fetchJson } from '../../http/outbound/bounded-fetch.js';
import { rootMessage } from '../../lib/root-cause.js';
import { RemoteDocument, type RemoteDocumentOptions } from './remote-document.js';

interface Numbered {
  readonly n: number;
}

const UNAVAILABLE = { code: 'identity_unavailable', status: 503 };
const AN_HOUR = 3_600_000;

let origin: TestIssuer;
/** A path per test: a cancelled fetch of one test may arrive during the next. */
let path = '/document';
let log: CollectedLog;
let document: RemoteDocument<Numbered>;

beforeAll(async () => (origin = await TestIssuer.start()));
afterAll(() => origin.stop());
beforeEach(() => {
  log = new CollectedLog();
  path += '-';
  origin.failing = undefined;
  publish(1);
});
afterEach(() => {
  document.stop();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const publish = (n: number) => origin.overrides.set(path, { n });
const fetches = () => origin.hits.get(path) ?? 0;
const hang = () => origin.scripts.set(path, () => undefined);

function open(options: Partial<RemoteDocumentOptions<Numbered>> = {}): RemoteDocument<Numbered> {
  document = new RemoteDocument({
    name: 'Document',
    subject: 'jwks',
    load: (signal) => fetchJson(`${origin.url}${path}`, signal) as Promise<Numbered>,
    refreshMs: AN_HOUR,
    maxAgeMs: 2 * AN_HOUR,
    log,
    ...options,
  });
  return document;
}

/** The origin stops answering, and a refresh has failed. */
async function breakDown(): Promise<void> {
  origin.failing = 503;
  await expect(document.refresh()).rejects.toMatchObject(UNAVAILABLE);
}

describe('RemoteDocument: fetch', () => {
  it('fetches once for 100 concurrent callers', async () => {
    open();
    const values = await Promise.all(Array.from({ length: 100 }, () => document.get()));
    expect(new Set(values)).toEqual(new Set([{ n: 1 }]));
    await Promise.all(Array.from({ length: 100 }, () => document.get()));
    expect(fetches()).toBe(1);
    await Promise.all(Array.from({ length: 100 }, () => document.refresh()));
    expect(fetches()).toBe(2);
  });

  it('fetches in the background without callers', async () => {
    open({ refreshMs: 200 }).start();
    await until(() => document.peek()?.n === 1);
    publish(2);
    await until(() => document.peek()?.n === 2);
    publish(3);
    await until(() => document.peek()?.n === 3);
    expect(log.lines).toEqual([]);
  });

  it('without background refresh fetches when overdue, and the caller waits', async () => {
    open({ refreshMs: 100 });
    expect(await document.get()).toEqual({ n: 1 });
    publish(2);
    await until(() => document.overdue);
    expect(await document.get()).toEqual({ n: 2 });
    expect(fetches()).toBe(2);
  });

  it('fetches again after the machine was suspended, independent of timers', async () => {
    open().start();
    await until(() => document.peek() !== undefined);
    publish(2);
    moveWallClock(AN_HOUR);
    expect(document.status().state).toBe('stale');
    expect(await document.get()).toEqual({ n: 2 });
  });

  it('keeps the value after a failed overdue fetch', async () => {
    await open().get();
    moveWallClock(AN_HOUR);
    origin.failing = 503;
    expect(await document.get()).toEqual({ n: 1 });
    expect(fetches()).toBe(2);
    moveWallClock(2 * AN_HOUR);
    expect(document.peek()).toBeUndefined();
    expect(log.lines).toEqual([
      expect.stringMatching(/refresh failed, the cached copy is used for another 3[56]\d\d s/),
      expect.stringContaining('the cached copy expired'),
    ]);
  });

  it('counts the age from the start of the fetch', async () => {
    let asked = Infinity;
    origin.scripts.set(path, (_request, response) => {
      asked = Date.now();
      setTimeout(() => response.end('{"n":1}'), 200);
    });
    await open({ maxAgeMs: 60_000 }).get();
    const { loadedAt, usableUntil } = document.status();
    expect(loadedAt).toBeLessThanOrEqual(asked);
    expect(usableUntil).toBe((loadedAt as number) + 60_000);
  });
});

describe('RemoteDocument: outage', () => {
  it('keeps the value up to its maximum age and logs each change of state once', async () => {
    open({ refreshMs: 100, maxAgeMs: 3_000 }).start();
    await until(() => document.status().state === 'fresh');
    const usableUntil = () => document.status().usableUntil;
    origin.failing = 503;
    await until(() => document.status().state === 'stale');
    const attempts = document.attempts;
    await until(() => document.attempts >= attempts + 3);
    expect(await document.get()).toEqual({ n: 1 });
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatch(
      /^warn Document: refresh failed, the cached copy is used for another [123] s: .*\/document-+ answered 503$/,
    );
    const bound = usableUntil() as number;
    await until(() => document.peek() === undefined);
    expect(Date.now()).toBeGreaterThanOrEqual(bound - 5);
    expect(document.status()).toEqual({ state: 'none', loadedAt: null, usableUntil: null });
    await expect(document.get()).rejects.toMatchObject(UNAVAILABLE);
    const later = document.attempts;
    await until(() => document.attempts >= later + 3);
    expect(log.lines.slice(1)).toEqual([
      expect.stringMatching(/^warn Document: the cached copy expired and is no longer used: .* 503$/),
    ]);

    origin.failing = undefined;
    await until(() => document.status().state === 'fresh');
    expect(await document.get()).toEqual({ n: 1 });
    const recovered = document.attempts;
    await until(() => document.attempts >= recovered + 3);
    expect(log.lines.slice(2)).toEqual(['log Document: available again']);

    origin.failing = 503;
    await until(() => log.lines.length > 3);
    expect(log.lines.slice(3)).toEqual([expect.stringMatching(/^warn Document: refresh failed/)]);
  });

  it('logs an outage at the start once, and recovers', async () => {
    origin.failing = 500;
    open({ refreshMs: 100 }).start();
    await until(() => document.attempts >= 4);
    expect(document.status().state).toBe('none');
    expect(log.lines).toEqual([expect.stringMatching(/^warn Document: unavailable: .* answered 500$/)]);
    origin.failing = undefined;
    await until(() => document.status().state === 'fresh');
    expect(log.lines.slice(1)).toEqual(['log Document: available again']);
  });

  it('answers at once during backoff and sends no request', async () => {
    origin.failing = 503;
    open();
    await expect(document.get()).rejects.toMatchObject({ ...UNAVAILABLE, retryAfterSeconds: 5 });
    const rest = await Promise.allSettled(Array.from({ length: 1_000 }, () => document.get()));
    expect(rest.every(({ status }) => status === 'rejected')).toBe(true);
    expect(fetches()).toBe(1);
    origin.failing = undefined;
    await until(() => !document.backingOff);
    expect(await document.get()).toEqual({ n: 1 });
    expect(fetches()).toBe(2);
  });

  it('answers from the cache while a fetch hangs', async () => {
    open({ refreshMs: 500 }).start();
    await document.get();
    await breakDown();
    hang();
    origin.failing = undefined;
    await until(() => document.refreshing);
    expect(await document.get()).toEqual({ n: 1 });
    expect(document.refreshing).toBe(true);
  });

  it('fetches on the next call without background refresh', async () => {
    open();
    await document.get();
    await breakDown();
    publish(2);
    origin.failing = undefined;
    await until(async () => (await document.get()).n === 2);
    expect(fetches()).toBe(3);
  });

  it('enforces the time limit on a fetch that ignores its signal', async () => {
    let answerLate: (value: Numbered) => void = () => undefined;
    const signals: AbortSignal[] = [];
    open({
      timeoutMs: 100,
      load: (signal) => {
        signals.push(signal);
        return signals.length > 1
          ? Promise.resolve({ n: 2 })
          : new Promise((resolve) => (answerLate = resolve));
      },
    });
    const error = await document.get().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(UNAVAILABLE);
    expect(rootMessage(error)).toBe('no answer within 100 ms');
    expect(signals[0]?.aborted).toBe(true);
    await document.refresh();
    answerLate({ n: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(document.peek()).toEqual({ n: 2 });
  });
});

describe('RemoteDocument: clocks', () => {
  it('does not rejuvenate a value when the clock goes back', async () => {
    open({ maxAgeMs: 200 });
    await document.refresh();
    moveWallClock(-AN_HOUR);
    await until(() => document.peek() === undefined);
  });

  it('ages a value when the clock jumps ahead', async () => {
    open();
    await document.refresh();
    moveWallClock(2 * AN_HOUR - 1_000);
    expect(document.peek()).toEqual({ n: 1 });
    moveWallClock(2 * AN_HOUR);
    expect(document.peek()).toBeUndefined();
  });

  describe('RemoteDocument: background intervals', () => {
    const times: number[] = [];
    const gaps = () => times.slice(1).map((time, at) => time - (times[at] as number));
    const timed = (load: () => Promise<Numbered>) => () => {
      times.push(performance.now());
      return load();
    };
    beforeEach(() => {
      times.length = 0;
      jest.useFakeTimers();
    });

    it('uses the refresh interval minus a random part', async () => {
      open({ refreshMs: 60_000, load: timed(() => Promise.resolve({ n: 1 })) }).start();
      await jest.advanceTimersByTimeAsync(AN_HOUR);
      const sorted = gaps().sort((a, b) => a - b);
      expect(sorted.length).toBeGreaterThan(60);
      expect(sorted[0]).toBeGreaterThanOrEqual(45_000);
      expect(sorted.at(-1)).toBeLessThanOrEqual(54_000);
      expect(new Set(sorted).size).toBeGreaterThan(30);
    });

    it('doubles the interval after each failure, from 1 s to 5 s', async () => {
      open({ load: timed(() => Promise.reject(new Error('down'))) }).start();
      await jest.advanceTimersByTimeAsync(33_000);
      expect(gaps()).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000]);
      expect(log.lines).toEqual(['warn Document: unavailable: down']);
    });

    it('never exceeds the refresh interval and the maximum age', async () => {
      open({ refreshMs: 3_000, load: timed(() => Promise.reject(new Error('down'))) }).start();
      await jest.advanceTimersByTimeAsync(12_000);
      expect(gaps()).toEqual([1_000, 2_000, 3_000, 3_000, 3_000]);
      document.stop();

      open({ maxAgeMs: 10_000, load: timed(() => Promise.resolve({ n: 1 })) }).start();
      for (let second = 0; second < 60; second++) {
        await jest.advanceTimersByTimeAsync(1_000);
        expect(document.peek()).toEqual({ n: 1 });
      }
    });

    it('supports intervals beyond the limit of Node.js timers', async () => {
      const refreshMs = 60 * 24 * AN_HOUR;
      open({ refreshMs, maxAgeMs: refreshMs, load: timed(() => Promise.resolve({ n: 1 })) }).start();
      await jest.advanceTimersByTimeAsync(AN_HOUR);
      expect(times).toHaveLength(1);
    });
  });
});

describe('RemoteDocument: stop', () => {
  it.each([
    ['while nothing happens', AN_HOUR, () => until(() => document.status().state === 'fresh')],
    ['while it is fetched', 200, () => [hang(), until(() => document.refreshing && fetches() > 1)][1]],
    [
      'while it is down',
      200,
      () => [(origin.failing = 500), until(() => document.status().state === 'stale')][1],
    ],
  ])('%s leaves no timer and no fetch', async (_name, refreshMs, reach) => {
    const timers = watchTimers();
    open({ refreshMs, timeoutMs: 60_000 }).start();
    await until(() => document.peek() !== undefined);
    await reach();
    expect(timers.alive()).toBeGreaterThan(0);
    const [attempts, lines] = [document.attempts, log.lines.length];
    document.stop();
    await until(() => !document.refreshing && timers.alive() === 0);
    await expect(document.refresh()).rejects.toMatchObject(UNAVAILABLE);
    document.start();
    timers.end();
    expect([document.attempts, log.lines.length, document.peek()?.n]).toEqual([attempts, lines, 1]);
    expect(timers.alive()).toBe(0);
  });

  it('does not keep the process alive', async () => {
    const timers = watchTimers();
    open({ refreshMs: 200 }).start();
    await until(() => document.peek() !== undefined && timers.alive() === 1);
    timers.end();
    expect(timers.holding()).toBe(0);
  });
});

/** Pending timers of the code under test. */
function watchTimers() {
  const timers = new Map<number, NodeJS.Timeout>();
  const hook = createHook({
    init(id, type, _trigger, resource) {
      const ours = type === 'Timeout' && /\/remote-document\.ts/.test(new Error().stack ?? '');
      if (ours) timers.set(id, resource as NodeJS.Timeout);
    },
    destroy: (id) => void timers.delete(id),
  }).enable();
  return {
    alive: () => timers.size,
    holding: () => [...timers.values()].filter((timer) => timer.hasRef()).length,
    end: () => void hook.disable(),
  };
}
