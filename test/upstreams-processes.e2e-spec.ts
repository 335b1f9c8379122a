/** Processes of upstreams: crashes, restarts, one process per user, and termination with the gateway. */
import { fixture, isAlive, MountedGate, pause, until } from './support/upstreams.js';

jest.setTimeout(120_000);

const ALICE = { sub: 'alice', scope: 'use' };

describe('process of an upstream', () => {
  let mounted: MountedGate;
  let token: string;
  let closed = false;

  beforeAll(async () => {
    mounted = await MountedGate.start((folder) => [
      fixture(folder, 'crashing', ''),
      fixture(folder, 'flaky', 'crash-times=2'),
      fixture(folder, 'dead', 'crash-at-start'),
      fixture(folder, 'leaking', 'leak'),
      fixture(folder, 'deaf', 'ignore-eof,ignore-sigterm'),
      fixture(folder, 'each', '', { processes: 'per_person', max_processes: 2, idle_seconds: 1 }),
      fixture(folder, 'well', ''),
    ]);
    token = await mounted.gate.token(ALICE);
    await mounted.toolsOnce(token, (names) =>
      ['crashing', 'leaking', 'deaf', 'well', 'each'].every((name) => names.includes(`${name}_echo`)),
    );
  });
  const close = async () => {
    if (!closed) await mounted?.close();
    closed = true;
  };
  afterAll(close);

  const call = async (name: string, args = {}, as = token) =>
    (await mounted.gate.callTool(as, name, args)).body.result;

  it.each(['crash', 'crash_half'])(
    'fails running calls at once after %s and a new process serves later calls',
    async (tool) => {
      const running = call('crashing_slow', { ms: 30_000 });
      await until(
        () => mounted.noted('crashing', 'call').at(-1)?.name === 'slow',
        'the slow call is running',
      );
      expect((await call(`crashing_${tool}`)).isError).toBe(true);
      expect((await running).isError).toBe(true);
      await until(async () => (await call('crashing_echo', { text: 'up' })).isError !== true, 'is back', 30);
      expect((await call('well_echo', { text: 'well' })).content[0].text).toBe('well');
    },
  );

  it('is used after two failed starts', async () => {
    const tools = await mounted.toolsOnce(token, (names) => names.includes('flaky_echo'), 60);
    expect(tools.has('flaky_echo')).toBe(true);
  });

  it('is restarted with growing delays when every start fails', async () => {
    await pause(5_000);
    const starts = mounted.noted('dead', 'started').length;
    expect(starts).toBeGreaterThan(0);
    expect(starts).toBeLessThan(12);
    expect((await call('well_echo', { text: 'well' })).content[0].text).toBe('well');
  });

  it('exists once per user, ends when idle and is limited in number', async () => {
    const people = await Promise.all(['p1', 'p2', 'p3'].map((sub) => mounted.gate.token({ ...ALICE, sub })));
    const pidOf = async (as: string) =>
      JSON.parse((await call('each_environment', {}, as)).content[0].text).pid as number;
    const first = await pidOf(people[0]!);
    expect(await pidOf(people[0]!)).toBe(first);
    const second = await pidOf(people[1]!);
    expect(second).not.toBe(first);
    const third = await pidOf(people[2]!);
    expect([first, second]).not.toContain(third);
    await until(
      () => [first, second, third].filter(isAlive).length === 0,
      'the idle processes have ended',
      20,
    );
  });

  it('ends with the gateway, together with its children', async () => {
    await call('well_spawn');
    const pids = ['crashing', 'leaking', 'deaf', 'well', 'each', 'flaky', 'dead'].flatMap((name) => [
      ...mounted.noted(name, 'started').map(({ pid }) => pid),
      ...mounted.noted(name, 'spawned').map(({ child }) => child as number),
    ]);
    expect(pids.filter(isAlive).length).toBeGreaterThan(3);
    await mounted.gate.close();
    closed = true;
    await until(() => pids.filter(isAlive).length === 0, `all of ${pids.join()} have ended`, 10);
  });
});
