import type { ConfigService } from '@nestjs/config';
import fc from 'fast-check';
import type { Principal } from '../core/principal.js';
import type { PolicySettings, Settings } from '../config/settings.js';
import type { TargetRegistry, ProtectedTarget } from './access-rule.js';
import { PolicyService } from './policy.service.js';
import { principal } from '../../test/support/principals.js';

const NOW = 1_800_000_000;
const IP = '192.0.2.1';
const names = fc.subarray(['a', 'b']);

const PRINCIPAL = principal();
const principals: fc.Arbitrary<Principal> = fc
  .record({
    kind: fc.constantFrom('human' as const, 'workload' as const),
    scopes: names,
    roles: names,
    acr: names,
    authenticatedAt: fc.option(fc.integer({ min: NOW - 3, max: NOW })),
  })
  .map(principal);
const targets: fc.Arbitrary<ProtectedTarget> = fc
  .record({
    scopes: names,
    roles: fc.array(fc.subarray(['a', 'b'], { minLength: 1 }), { maxLength: 2 }),
    assurance: fc.option(fc.record({ acr: names, maxAgeSeconds: fc.option(fc.integer({ min: 1, max: 3 })) })),
    allowWorkload: fc.boolean(),
  })
  .map((rule) => ({ kind: 'tool', name: 'tool', rule: { ...rule, source: 'Tools.tool' } }));

function service(settings: Partial<PolicySettings> = {}, targets: ProtectedTarget[] = []): PolicyService {
  const own = {
    allowList: '*',
    requireHuman: true,
    denialDetail: 'explain',
    challengeScopes: 'allowed',
    ...settings,
  };
  const config = { get: () => own } as unknown as ConfigService<Settings, true>;
  const catalogue = { list: () => targets, all: () => targets } as unknown as TargetRegistry;
  const policy = new PolicyService(config, catalogue);
  policy.load();
  return policy;
}

beforeEach(() => {
  jest.useFakeTimers({ now: NOW * 1000 });
});
afterEach(() => {
  jest.useRealTimers();
});

it('lists allowed targets and those that lack only scopes or assurance', () => {
  const seen = new Set<unknown>();
  fc.assert(
    fc.property(principals, targets, fc.boolean(), (principal, target, requireHuman) => {
      const policy = service({ requireHuman }, [target]);
      const decision = policy.decide(principal, target, IP, {});
      seen.add(decision.effect === 'allow' ? 'allow' : decision.reason);
      const obtainable =
        decision.effect === 'deny' && ['scope_missing', 'assurance_insufficient'].includes(decision.reason);
      const isShown = decision.effect === 'allow' || obtainable;
      expect(policy.listing(principal, 'tools', IP)).toEqual({
        shown: isShown ? [target] : [],
        hidden: isShown ? 0 : 1,
      });
    }),
    { numRuns: 2000 },
  );
  expect(seen).toEqual(
    new Set(['allow', 'role_missing', 'human_required', 'assurance_insufficient', 'scope_missing']),
  );
});

it('counts an age in whole seconds, and still lists the target after the login expired', () => {
  const assurance = { acr: [], maxAgeSeconds: 300 };
  const target: ProtectedTarget = {
    kind: 'tool',
    name: 'tool',
    rule: { scopes: [], roles: [], assurance, allowWorkload: false, source: 'Tools.tool' },
  };
  const principal = { ...PRINCIPAL, authenticatedAt: NOW };
  const policy = service({}, [target]);
  const shown = () => policy.listing(principal, 'tools', IP).shown.length;
  jest.setSystemTime(NOW * 1000 + 300_999);
  expect([policy.decide(principal, target, IP, {}).effect, shown()]).toEqual(['allow', 1]);
  jest.setSystemTime(NOW * 1000 + 301_000);
  expect([policy.decide(principal, target, IP, {}).effect, shown()]).toEqual(['deny', 1]);
});
