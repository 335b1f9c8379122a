/** Rules of policy.yaml tighten the access rules of the code: decisions, challenges and lists. */
import type { Principal } from '../core/principal.js';
import type { ProtectedTarget } from './access-rule.js';
import { callerOf } from './evaluate.js';
import { listTargets } from './listing.js';
import { loadPolicy } from './load-policy.js';
import {
  ALICE,
  type Asked,
  BATCH,
  decide,
  disposePolicies,
  GREET,
  load,
  MONDAY,
  OPEN,
  PAY,
  READ,
  ROBOT,
  short,
  TARGETS,
  WRITE,
} from '../../test/support/policies.js';

afterEach(disposePolicies);

describe('loadPolicy with rules of policy.yaml', () => {
  const yaml = (text: string) => load({ 'policy.yaml': text });

  it.each<[string, string, ProtectedTarget, Asked, string]>([
    [
      'adds a required scope to a target',
      'rules: [{match: pay, scopes: pay.now}]',
      PAY,
      {},
      'scope_missing by policy.yaml: rules[0]',
    ],
    [
      'adds a required scope to every target of a pattern',
      'rules: [{id: x, match: "p*", scopes: [pay.now]}]',
      PAY,
      {},
      'scope_missing by policy.yaml: x',
    ],
    [
      'leaves targets without a matching rule unchanged',
      'rules: [{match: pay, scopes: pay.now}]',
      READ,
      {},
      'allow',
    ],
    [
      'applies a pattern without a kind to tools only',
      'rules: [{match: ["*"], scopes: x}]',
      GREET,
      {},
      'allow',
    ],
    [
      'applies a pattern with the kind prompt to prompts',
      'rules: [{match: "prompt:*", scopes: x}]',
      GREET,
      {},
      'scope_missing by policy.yaml: rules[0]',
    ],
    [
      'allows a caller with one of the alternative roles',
      'rules: [{match: pay, roles: [payer, admin]}]',
      PAY,
      {},
      'allow',
    ],
    [
      'denies a caller without any of the alternative roles',
      'rules: [{match: pay, roles: [payer]}]',
      PAY,
      {},
      'role_missing by policy.yaml: rules[0]',
    ],
    [
      'names the rule of the code where the policy denies too',
      'rules: [{match: write, roles: [payer]}]',
      WRITE,
      { as: { roles: [] } },
      'role_missing by Tools.write',
    ],
    [
      'denies a login that is older than max_age',
      'rules: [{match: pay, assurance: {max_age: 30}}]',
      PAY,
      {},
      'assurance_insufficient by policy.yaml: rules[0]',
    ],
    [
      'allows a login that is younger than max_age',
      'rules: [{match: pay, assurance: {max_age: 90}}]',
      PAY,
      {},
      'allow',
    ],
    [
      'allows a workload that the rule names',
      'rules: [{match: batch, workloads: [robot]}]',
      BATCH,
      { as: ROBOT },
      'allow',
    ],
    [
      'denies a workload that the rule does not name',
      'rules: [{match: batch, workloads: [other]}]',
      BATCH,
      { as: ROBOT },
      'human_required by policy.yaml: rules[0]',
    ],
    [
      'grants no workload a target that the code reserves for users',
      'rules: [{match: pay, workloads: [robot]}]',
      PAY,
      { as: ROBOT },
      'human_required by AUTH_REQUIRE_HUMAN',
    ],
    [
      'allows a user where the rule excludes workloads',
      'rules: [{match: "*", workloads: none}]',
      BATCH,
      {},
      'allow',
    ],
    [
      'denies a target outside of the allow-list of the policy',
      'allow_list: [pay]',
      READ,
      {},
      'tool_not_allowed by policy.yaml: allow_list',
    ],
    ['allows a target of the allow-list of the policy', 'allow_list: ["re*"]', READ, {}, 'allow'],
    [
      'accepts a scope that implies the required one over another scope',
      'scope_implies: {all: [read], super: [all]}',
      READ,
      { as: { scopes: ['super'] } },
      'allow',
    ],
    [
      'does not take an implied scope for the scope that implies it',
      'scope_implies: {read: all}\nrules: [{match: read, scopes: all}]',
      READ,
      { as: { scopes: ['all'] } },
      'scope_missing by Tools.read',
    ],
  ])('%s', (_name, text, asked, checkInput, expected) => {
    expect(short(decide(yaml(text), asked, checkInput))).toBe(expected);
  });

  it('puts the requirements of the code and of all rules into one challenge', () => {
    const policy = yaml('rules: [{match: read, scopes: [more, read], assurance: {acr: gold, max_age: 30}}]');
    expect(decide(policy, READ)).toMatchObject({
      reason: 'assurance_insufficient',
      required: { scopes: ['read', 'more'], assurance: { acr: ['gold'], maxAgeSeconds: 30 } },
      missing: { scopes: ['more'], assurance: { acr: ['gold'], maxAgeSeconds: 30 } },
    });
  });

  it('lists targets that a new token would open, unless the policy has list: callable', () => {
    const shown = (text: string, as: Partial<Principal>) =>
      listTargets(
        callerOf({ ...ALICE, ...as }, yaml(text).policy, { now: MONDAY, ip: '' }),
        TARGETS,
      ).shown.map(({ name }) => name);
    const poor = { scopes: [], roles: [] };
    expect(shown('list: callable', poor)).toEqual(['pay', 'batch', 'greet']);
    expect(shown('list: obtainable', poor)).toEqual(['pay', 'read', 'batch', 'greet']);
    expect(shown('author: dora', poor)).toEqual(['pay', 'read', 'batch', 'greet']);
    const without = loadPolicy(OPEN, TARGETS, undefined).policy;
    expect(
      listTargets(callerOf({ ...ALICE, ...poor }, without, { now: MONDAY, ip: '' }), TARGETS).shown.map(
        ({ name }) => name,
      ),
    ).toEqual(['pay', 'read', 'batch', 'greet']);
  });
});
