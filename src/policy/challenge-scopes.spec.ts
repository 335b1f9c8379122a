import * as fc from 'fast-check';
import type { AccessRule, ProtectedTarget } from './access-rule.js';
import { challengeNotices, challengeScopes } from './challenge-scopes.js';
import { evaluate, callerOf } from './evaluate.js';
import { loadPolicy } from './load-policy.js';
import type { Policy } from './policy.js';
import { principal } from '../../test/support/principals.js';

function target(
  name: string,
  rule: Partial<AccessRule>,
  more: Partial<ProtectedTarget> = {},
): ProtectedTarget {
  const full = { scopes: [], roles: [], assurance: null, allowWorkload: false, source: name, ...rule };
  return { kind: 'tool', name, rule: full, ...more };
}

const TARGETS = [
  target('read', { scopes: ['db.read'] }, { readOnly: true }),
  target('write', { scopes: ['db.write'] }),
  target('remove', { scopes: ['db.write', 'db.remove'], roles: [['admin']] }),
  target('broken', { scopes: ['broken.use'] }, { withheld: 'upstreams: x: changed' }),
  target('greet', { scopes: ['greet.get'] }, { kind: 'prompt' }),
  target('secret', { scopes: ['secret.read'], roles: [['admin']] }, { readOnly: true }),
];
const EVERY = ['db.read', 'db.remove', 'db.write', 'greet.get', 'secret.read'];

function policy(text?: string, allowList: '*' | ReadonlySet<string> = '*'): Policy {
  const files = text === undefined ? undefined : [{ name: 'policy.yaml', text, sha256: '' }];
  return loadPolicy({ allowList, requireHuman: true }, TARGETS, files).policy;
}

it.each<[string, Policy, readonly string[]]>([
  ['every target that is open, whichever role it asks for', policy(), EVERY],
  ['targets on the allow-list alone', policy(undefined, new Set(['read', 'write'])), ['db.read', 'db.write']],
  ['targets on the list of the policy alone', policy('allow_list: [read]'), ['db.read']],
  ['a list in shadow mode closes nothing', policy('mode: shadow\nallow_list: [read]'), EVERY],
  [
    'scopes that the policy adds',
    policy('rules: [{match: read, scopes: [more]}]', new Set(['read'])),
    ['db.read', 'more'],
  ],
  [
    'no scope that is in shadow mode',
    policy('rules: [{match: read, scopes: [more], mode: shadow}]', new Set(['read'])),
    ['db.read'],
  ],
  [
    'scopes that another implies, which a token can bring by themselves',
    policy('scope_implies: {db.write: [db.read], db.all: [db.write]}', new Set(['read', 'write'])),
    ['db.read', 'db.write'],
  ],
  ['no target', policy(undefined, new Set()), []],
])('allowed returns the scopes of: %s', (_name, of, expected) => {
  expect(challengeScopes(of, 'allowed')).toEqual(expected);
  expect(challengeNotices(of, 'allowed')).toEqual([]);
});

it.each<[string, Policy, readonly string[]]>([
  ['read-only tools without roles, and prompts', policy(), ['db.read', 'greet.get']],
  ['every target where none is read-only', policy(undefined, new Set(['write'])), ['db.write']],
])('minimal returns the scopes of: %s', (_name, of, expected) => {
  expect(challengeScopes(of, 'minimal')).toEqual(expected);
});

describe('challengeScopes with a list', () => {
  it('returns the list sorted without repetitions', () => {
    expect(challengeScopes(policy(), ['x', 'db.read', 'x'])).toEqual(['db.read', 'x']);
  });

  it.each<[string, Policy, readonly string[], string[]]>([
    ['a scope that no target has', policy(), ['db.read', 'openid'], ['openid']],
    ['a scope of a closed target', policy(undefined, new Set(['read'])), ['db.write'], ['db.write']],
    ['a scope of a withheld target', policy(), ['broken.use'], ['broken.use']],
    ['another spelling', policy(), ['DB.read'], ['DB.read']],
    ['none for scopes in use', policy(), ['db.write'], []],
    [
      'none for a scope that implies one in use',
      policy('scope_implies: {all: [mid], mid: [db.read]}'),
      ['all'],
      [],
    ],
    ['a scope that implies others', policy('scope_implies: {all: [nothing]}'), ['all'], ['all']],
  ])('reports in a notice %s', (_name, of, setting, unneeded) => {
    expect(challengeNotices(of, setting)).toEqual(
      unneeded.length > 0 ? [`CHALLENGE_SCOPES: no allowed target needs ${unneeded.join(', ')}`] : [],
    );
  });
});

it('reports a challenge that proxies may reject for its size', () => {
  const many = Array.from({ length: 200 }, (_, at) => target(`t${at}`, { scopes: [`some.scope.${at}`] }));
  const { policy: of } = loadPolicy({ allowList: '*', requireHuman: true }, many, undefined);
  expect(challengeScopes(of, 'allowed')).toHaveLength(200);
  expect(challengeNotices(of, 'allowed')).toEqual([
    expect.stringMatching(/^CHALLENGE_SCOPES: the challenge names 200 scopes in \d+ characters/),
  ]);
});

it('a user with every role and the scopes of allowed lacks no scope of an open target', () => {
  fc.assert(
    fc.property(
      fc.subarray(TARGETS.map(({ name }) => (name === 'greet' ? 'prompt:greet' : name))),
      fc.constantFrom(
        undefined,
        'rules: [{match: "*", scopes: [a, b]}]',
        'scope_implies: {a: [db.read]}',
        'mode: shadow\nrules: [{match: "*", scopes: [a]}]',
      ),
      (names, text) => {
        const of = policy(text, new Set(names));
        const caller = callerOf(principal({ scopes: challengeScopes(of, 'allowed'), roles: ['admin'] }), of, {
          now: 0,
          ip: '',
        });
        for (const one of TARGETS) {
          const decision = evaluate(caller, one);
          expect(decision.effect === 'allow' || decision.reason === 'tool_not_allowed').toBe(true);
        }
      },
    ),
  );
});
