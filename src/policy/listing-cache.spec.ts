import type { Listing } from '../core/request-context.js';
import type { ProtectedTarget } from './access-rule.js';
import { ListingCache } from './listing-cache.js';
import { loadPolicy } from './load-policy.js';
import type { Policy } from './policy.js';
import { principal } from '../../test/support/principals.js';

const target = (name: string, maxAgeSeconds: number | null = null): ProtectedTarget => ({
  kind: 'tool',
  name,
  rule: {
    scopes: [],
    roles: [],
    assurance: maxAgeSeconds === null ? null : { acr: [], maxAgeSeconds },
    allowWorkload: false,
    source: `Tools.${name}`,
  },
});
const policyOf = (all: ProtectedTarget[]): Policy =>
  loadPolicy(
    { allowList: '*', requireHuman: true, denialDetail: 'explain', directory: undefined } as never,
    all,
    undefined,
  ).policy;

const ALL = [target('a'), target('b')];
const POLICY = policyOf(ALL);
const listing = (...shown: ProtectedTarget[]): Listing => ({ shown, hidden: ALL.length - shown.length });

it('decides once per caller and kind, and again for another policy or other targets', () => {
  const lists = new ListingCache();
  const [alice, bob] = [principal({ subject: 'alice' }), principal({ subject: 'bob' })];
  let asked = 0;
  const decide = () => {
    asked += 1;
    return listing(...ALL);
  };
  const first = lists.of(alice, 'tools', POLICY, ALL, decide);
  expect(lists.of(alice, 'tools', POLICY, ALL, decide)).toBe(first);
  expect(asked).toBe(1);
  // Decided per caller; equal lists are shared.
  expect(lists.of(bob, 'tools', POLICY, ALL, decide)).toBe(first);
  expect(asked).toBe(2);
  lists.of(alice, 'tools', policyOf(ALL), ALL, decide);
  lists.of(alice, 'tools', policyOf(ALL), [...ALL], decide);
  lists.of(alice, 'prompts', POLICY, [], decide);
  expect(asked).toBe(5);
});

it('never returns the list of another caller', () => {
  const lists = new ListingCache();
  const [alice, bob] = [principal({ subject: 'alice' }), principal({ subject: 'bob' })];
  lists.of(alice, 'tools', POLICY, ALL, () => listing(...ALL));
  expect(lists.of(bob, 'tools', POLICY, ALL, () => listing(ALL[1] as ProtectedTarget)).shown).toEqual([
    ALL[1],
  ]);
  expect(lists.of(alice, 'tools', POLICY, ALL, () => listing()).shown).toEqual(ALL);
});

it.each<[string, Policy]>([
  ['a login may grow too old', policyOf([target('a', 300)])],
  ['conditions look at time and place', { ...POLICY, conditions: {} as never }],
])('decides again if %s', (_why, policy) => {
  const lists = new ListingCache();
  const alice = principal({ subject: 'alice' });
  lists.of(alice, 'tools', policy, ALL, () => listing(...ALL));
  expect(lists.of(alice, 'tools', policy, ALL, () => listing()).shown).toEqual([]);
});
