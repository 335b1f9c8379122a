/** A caller does not affect the connections of other callers. */
import type { UpstreamCaller } from './upstream-caller.js';
import { ConnectionPool } from './connection-pool.js';
import { UpstreamError } from './upstream-error.js';

const SETTINGS = { processes: 'shared', transport: 'http', maxProcesses: 2, idleMs: 60_000, concurrency: 8 };
const caller = (subject: string) => ({ principal: { subject } }) as unknown as UpstreamCaller;
const never = () => new Promise<void>(() => undefined);
const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

function pool(settings: object = {}) {
  const opened: { key: string; closed: boolean }[] = [];
  const all = new ConnectionPool({
    settings: { ...SETTINGS, ...settings } as never,
    keyOf: (one) => ('processes' in settings ? (one?.principal.subject ?? '') : ''),
    open: (key) => {
      const one = { key, closed: false };
      opened.push(one);
      return Promise.resolve({ close: async () => void (one.closed = true) } as never);
    },
  });
  const use = (work: () => Promise<void>, subject = 'alice') =>
    all.use({
      caller: caller(subject),
      patienceMs: 1_000,
      work,
      endsWith: (error) => (error as UpstreamError).code === 'session_lost',
    });
  const living = () => opened.filter(({ closed }) => !closed);
  return { opened, living, use };
}

const lost = () => Promise.reject(new UpstreamError('session_lost', 'it answered 400'));

it('keeps the calls of other callers when a connection ends for one', async () => {
  const { opened, living, use } = pool();
  let finish: () => void = () => undefined;
  const other = use(() => new Promise((resolve) => (finish = resolve)));
  await soon();
  await expect(use(lost)).rejects.toThrow('400');
  await use(() => Promise.resolve());
  expect([opened.length, living().length]).toEqual([2, 2]);
  finish();
  await other;
  await soon();
  expect(living()).toHaveLength(1);
});

it('ends the failed connection and keeps its replacement', async () => {
  const { opened, use } = pool();
  await expect(Promise.all([use(lost).catch(() => use(never)), use(lost)])).rejects.toThrow('400');
  await soon();
  expect(opened.map(({ closed }) => closed)).toEqual([true, false]);
});

it('never exceeds the limit of connections with concurrent calls', async () => {
  const { living, use } = pool({ processes: 'per_person' });
  await use(() => Promise.resolve(), 'a');
  void use(never, 'b');
  await soon();
  await Promise.allSettled(['c', 'd', 'e', 'f'].map((one) => use(() => Promise.resolve(), one)));
  expect(living().length).toBeLessThanOrEqual(2);
});

it('pauses an upstream after its own failures only', async () => {
  const { use } = pool({ processes: 'per_person' });
  void use(never, 'a');
  let finish: () => void = () => undefined;
  const b = use(() => new Promise((resolve) => (finish = resolve)), 'b');
  await soon();
  for (const one of ['c', 'd', 'e', 'f']) {
    await expect(use(() => Promise.resolve(), one)).rejects.toThrow('all connections are in use');
  }
  finish();
  await b;
  await expect(use(() => Promise.resolve(), 'g')).resolves.toBeUndefined();
});
