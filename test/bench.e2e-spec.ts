/** The parts of the benchmark that compute verdicts. */
import { join } from 'node:path';

const part = (name: string) => import(join(__dirname, `../bench/lib/${name}.mjs`));

/** Rounds of one cell with the given requests per second. CPU time per request is the inverse of the rate. */
const rounds = (...rates: number[]) =>
  rates.map((rate) => ({
    rate,
    p50: 2,
    p99: 5,
    cpu: 1e6 / rate,
    user: 0,
    system: 0,
    rss: 2 ** 20,
    failures: {},
  }));
const cell = (server: string, rates: number[], more: object = {}) => ({
  server,
  tools: 10,
  workers: 1,
  rounds: rounds(...rates),
  ...more,
});
const ladder = (product: number[], more: object = {}) => ({
  id: 'ladder-legacy',
  title: 'tools/call',
  cells: [
    cell('bare-jose', [1000, 500, 2000]),
    cell('product', product, more),
    cell('mcp-nest', [300, 150, 600]),
  ],
});

describe('benchmark statistics', () => {
  it('compares each round with the round of the same time', async () => {
    const { ratio } = await part('statistics');
    // The rounds have another order; each is twice as fast as its own counterpart.
    expect(ratio(rounds(2000, 1000, 4000), rounds(1000, 500, 2000), ({ rate }: any) => rate)).toEqual({
      median: 2,
      least: 2,
      most: 2,
    });
  });

  it('measures growth after the warm-up', async () => {
    const { growth } = await part('statistics');
    expect(growth([1, 5, 9, 10, 10, 10, 10, 10, 10]).part).toBe(0);
    expect(growth([1, 2, 3, 4, 5, 6, 7, 8, 9]).part).toBeCloseTo(0.6);
    expect(growth([1, 2])).toBeUndefined();
  });
});

describe('benchmark targets', () => {
  const verdict = async (run: object, name: RegExp) => {
    const { evaluateTargets } = await part('targets');
    return evaluateTargets({ blocks: [], ...run }).find((line: any) => name.test(line.name))?.verdict;
  };

  it.each([
    [[1000, 500, 2000], 'pass'],
    [[700, 350, 1400], 'floor'],
    [[100, 50, 200], 'fail'],
  ])('compares %j with the bare server and returns %s', async (rates, expected) => {
    expect(await verdict({ blocks: [ladder(rates)] }, /^product, legacy: .*jose/)).toBe(expected);
  });

  it('does not count failed requests as fast requests', async () => {
    const failed = rounds(5000, 5000, 5000).map((round) => ({ ...round, failures: { 503: 3 } }));
    const blocks = [ladder([], { rounds: failed })];
    expect(await verdict({ blocks }, /jose/)).toBe('failed requests');
  });

  it('reports a target without measurements as unmeasured', async () => {
    expect(await verdict({}, /1,000 tools/)).toBe('unmeasured');
    expect(await verdict({}, /PostgreSQL: cold start/)).toBe('unmeasured');
  });

  it('evaluates memory only over a large number of calls', async () => {
    const run = (calls: number, last: number) => {
      const heaps = [10, 10, 10, 10, 10, 10, 10, 10, last];
      const samples = heaps.map((mib, at) => ({ calls: at, rss: 0, heapUsed: mib * 2 ** 20 }));
      samples.splice(-3, 2, ...samples.slice(-1), ...samples.slice(-1));
      return { soak: { server: 'product', calls, samples, failures: {} } };
    };
    expect(await verdict(run(1_000_000, 10), /^heap/)).toBe('pass');
    expect(await verdict(run(1_000_000, 20), /^heap/)).toBe('fail');
    expect(await verdict(run(1_000, 10), /^heap/)).toBe('too short');
  });
});

describe('benchmark regression check', () => {
  const filed = { 'legacy/processor': 2, 'legacy/wait': 2 };
  const compared = async (legacy: number[], ratios: object = filed) => {
    const { compareWithFile } = await part('gate-verdict');
    const cells = [
      cell('sdk', [1000, 500, 2000], { role: 'sdk' }),
      cell('product', legacy, { role: 'legacy' }),
    ];
    const onFile = { margins: { processor: 0.25, wait: 0.5 }, ratios };
    return compareWithFile({ cells }, onFile).map(({ by, verdict }: any) => `${by}: ${verdict}`);
  };

  it('accepts noise within the margin and reports a cost above it', async () => {
    expect(await compared([500, 240, 980])).toEqual(['processor: as it was', 'wait: as it was']);
    expect(await compared([380, 190, 760])).toEqual(['processor: dearer', 'wait: as it was']);
    expect(await compared([250, 120, 490])).toEqual(['processor: dearer', 'wait: dearer']);
    expect(await compared([2000, 990, 4000])).toEqual(['processor: cheaper', 'wait: cheaper']);
  });

  it('reports a cell that has no reference value', async () => {
    expect(await compared([500, 250, 1000], {})).toEqual(['processor: not on file', 'wait: not on file']);
  });
});

describe('benchmark plan', () => {
  it('sends no request in a revision that the server does not support', async () => {
    const { plan } = await part('plan');
    const modern = plan(false).find(({ id }: any) => id === 'ladder-modern');
    const servers = modern.cells.map(({ server }: any) => server);
    expect(servers).toEqual(expect.arrayContaining(['product', 'mcp-nest', 'sdk']));
    expect(servers).not.toContain('fastmcp');
  });
});

describe('profile grouping', () => {
  it('assigns native functions to their caller and excludes idle time', async () => {
    const { groupProfile } = await part('profile-groups');
    const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
      id,
      callFrame: { functionName, url },
      children,
    });
    const nodes = [
      node(1, '(root)', '', [2, 4, 6]),
      node(2, 'append', 'file:///srv/dist/audit/audit-log.js', [3]),
      node(3, 'stringify', ''),
      node(4, '(idle)', ''),
      node(6, 'parse', 'file:///srv/node_modules/@modelcontextprotocol/server/node_modules/zod/v4/core.js'),
    ];
    const profile = { nodes, samples: [2, 3, 4, 6], timeDeltas: [10, 20, 1000, 5] };
    expect(groupProfile(profile)).toEqual([
      ['audit', 30],
      ['zod', 5],
    ]);
  });
});
