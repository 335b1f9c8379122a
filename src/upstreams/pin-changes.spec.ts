import { readTools } from './connection/read-tools.js';
import {
  acceptedChanges,
  changeOf,
  describeChange,
  withoutChanged,
  type UpstreamChange,
} from './pin-changes.js';
import type { Difference, Pins } from './pins.js';

const tool = (name: string, description = 'x') =>
  readTools([{ name, description, inputSchema: { type: 'object' } }]).tools[0]!;
const pins = (upstreams: Record<string, ReturnType<typeof tool>[]>): Pins =>
  new Map(
    Object.entries(upstreams).map(([name, all]) => [
      name,
      new Map(all.map((one) => [one.name, one] as const)),
    ]),
  );
const difference = (name: string, from: string | null, to: string | null): Difference => ({
  tool: name,
  from,
  to,
});

describe('acceptedChanges', () => {
  const ONE = tool('one');
  it.each<[string, Pins, Pins, [string, string[]][]]>([
    ['no change for equal pins', pins({ a: [ONE] }), pins({ a: [ONE] }), []],
    ['the tools of a new upstream', pins({}), pins({ a: [ONE] }), [['a', ['one']]]],
    ['the tools of a removed upstream', pins({ a: [ONE] }), pins({}), [['a', ['one']]]],
    ['a changed tool', pins({ a: [ONE] }), pins({ a: [tool('one', 'y')] }), [['a', ['one']]]],
    [
      'upstreams in the order of names',
      pins({ b: [ONE] }),
      pins({ b: [], a: [ONE] }),
      [
        ['a', ['one']],
        ['b', ['one']],
      ],
    ],
  ])('reports %s', (_title, before, now, expected) => {
    const changes = acceptedChanges(before, now);
    expect(changes.map(({ upstream, tools }) => [upstream, tools.map((one) => one.tool)])).toEqual(expected);
    expect(changes.every(({ action }) => action === 'accepted')).toBe(true);
  });
});

describe('changeOf', () => {
  const many = Array.from({ length: 103 }, (_, at) => difference(`t${at}`, null, 'x'));
  it('names 100 tools and counts the others', () => {
    const change = changeOf('a', 'withheld', many);
    expect([change.tools.length, change.more]).toEqual([100, 3]);
  });
  it('has no count where every tool is named', () => {
    expect(changeOf('a', 'withheld', many.slice(0, 100))).not.toHaveProperty('more');
  });
});

describe('describeChange', () => {
  const found = [difference('n', null, 'x'), difference('g', 'x', null), difference('c', 'x', 'y')];
  it.each<[UpstreamChange['action'], string]>([
    ['pinned', 'Upstream a: mounted, 3 tool(s) accepted at first use'],
    ['accepted', 'Upstream a: 3 changed tool(s) accepted'],
    ['withheld', 'Upstream a: withheld until accepted: n (new), g (gone), c (changed)'],
    ['restored', 'Upstream a: all tools match the accepted definitions again'],
  ])('describes %s', (action, line) => expect(describeChange(changeOf('a', action, found))).toBe(line));
});

it('withoutChanged keeps the pins of other upstreams', () => {
  const all = pins({ a: [tool('one')], b: [tool('two')] });
  expect([...withoutChanged(all, [changeOf('a', 'pinned', [])]).keys()]).toEqual(['b']);
});
