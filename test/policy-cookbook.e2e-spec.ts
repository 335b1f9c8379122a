/** The documented policies have the documented effect. The cases are in cases/policy-cookbook.json. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { principalsIn } from '../src/cli/policy/principals.js';
import { registeredTargets } from '../src/cli/registered-targets.js';
import { loadSettings } from '../src/config/load-settings.js';
import type { JsonObject } from '../src/lib/json.js';
import type { ProtectedTarget } from '../src/policy/access-rule.js';
import { callerOf, evaluate } from '../src/policy/evaluate.js';
import { loadPolicy, type LoadedPolicy } from '../src/policy/load-policy.js';

interface Case {
  /** Changes to the default principal: the user alice with every scope and the role admin. */
  readonly as?: JsonObject;
  readonly tool: string;
  /** Unset: evaluated as for a list. */
  readonly args?: JsonObject;
  readonly at?: string;
  readonly ip?: string;
  /** `allow`, or the id of the denying rule. */
  readonly answer: string;
  /** The id of the shadow rule that would deny the call. */
  readonly shadow?: string;
}

const cases = JSON.parse(readFileSync(join(__dirname, 'cases/policy-cookbook.json'), 'utf8')) as Record<
  string,
  Case[]
>;
const pageOf = (path: string) => readFileSync(join(__dirname, '../docs', path), 'utf8');
const reference = pageOf('reference/policy-yaml.md');
const recipes = pageOf('guides/policy-cookbook.md')
  .split(/^## /m)
  .slice(1)
  .map((text) => [text.slice(0, text.indexOf('\n')), text] as const);

const own = (name: string, properties: JsonObject, allowWorkload: boolean): ProtectedTarget => ({
  kind: 'tool',
  name,
  inputSchema: { type: 'object', properties, required: Object.keys(properties) },
  rule: { scopes: [], roles: [], assurance: null, allowWorkload, source: `Own.${name}` },
});
const OWN = [
  own(
    'pay_invoice',
    { invoice_id: { type: 'string' }, amount: { type: 'integer' }, requested_by: { type: 'string' } },
    false,
  ),
  own('nightly_report', {}, true),
];
const SCOPES = ['database.read', 'database.write', 'email.send'];

let targets: readonly ProtectedTarget[];
beforeAll(async () => {
  const settings = loadSettings(
    { AUTH_ISSUER: 'https://issuer.example', TOOL_ALLOW_LIST: '*', EXAMPLE_TOOLS: 'true' },
    () => '',
  );
  targets = [...(await registeredTargets(settings)), ...OWN];
});

/** Loads the code blocks of a text as the files of a policy folder. */
function load(text: string): LoadedPolicy {
  const blocks = [...text.matchAll(/^```(yaml|cedar)\n(.*?)^```/gms)];
  const files = blocks.map(([, language, content = '']) => ({
    name: language === 'yaml' ? 'policy.yaml' : 'rules.cedar',
    text: content,
    sha256: createHash('sha256').update(content).digest('hex'),
  }));
  return loadPolicy({ allowList: '*', requireHuman: true }, targets, files);
}

it('has cases for exactly the documented recipes', () => {
  expect(recipes.length).toBeGreaterThanOrEqual(10);
  expect(recipes.map(([title]) => title).sort()).toEqual(Object.keys(cases).sort());
});

it.each(recipes)('has the documented effect: %s', (title, text) => {
  const loaded = load(text);
  for (const one of cases[title] ?? []) {
    const [who] = principalsIn(
      title,
      JSON.stringify({ sub: 'alice', scopes: SCOPES, roles: ['admin'], ...one.as }),
    );
    const now = Date.parse(one.at ?? '2026-11-24T10:00:00Z');
    const environment = { now, ip: one.ip ?? '10.0.0.1', arguments: one.args };
    const target = targets.find(({ name }) => name === one.tool) as ProtectedTarget;
    const principal = who?.principal as Parameters<typeof callerOf>[0];
    const decision = evaluate(callerOf(principal, loaded.policy, environment), target);
    const rule = decision.rule.replace(/^.*: /, '');
    expect([one, decision.effect === 'allow' ? 'allow' : rule]).toEqual([one, one.answer]);
    const shadow = decision.effect === 'allow' ? decision.shadow?.rule : undefined;
    expect(shadow?.replace(/^.*: /, '')).toBe(one.shadow);
  }
  loaded.dispose();
});

it('loads the policy of the reference page', () => {
  const text = reference.replace('shadow: [shadow.cedar]', 'shadow: [rules.cedar]');
  expect(load(text).cedarRules.map(({ source, isShadow }) => [source, isShadow])).toEqual([
    ['rules.cedar: office-hours', true],
  ]);
});
