/** Cost of the operator's policy: decisions, lists and reloads by number of rules and tools. */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { loadPolicy } = require('../dist/policy/load-policy.js');
const { callerOf, evaluate } = require('../dist/policy/evaluate.js');
const { listTargets } = require('../dist/policy/listing.js');

const BASE = { allowList: '*', requireHuman: true };
const ROUNDS = 5;
const PRINCIPAL = {
  issuer: 'https://issuer.example',
  subject: 'alice',
  kind: 'human',
  clientId: 'agent',
  tenant: null,
  scopes: ['read'],
  roles: ['developer', 'oncall'],
  acr: [],
  authenticatedAt: 1_790_000_000,
  tokenId: 'x',
  expiresAt: 0,
  delegation: [{ sub: 'alice', iss: 'https://issuer.example', type: 'human' }],
  delegationOmitted: 0,
};
const ENVIRONMENT = {
  now: Date.UTC(2026, 10, 24, 10),
  ip: '10.1.2.3',
  arguments: { amount: 5, note: 'hello' },
};
const INPUT = {
  type: 'object',
  properties: { amount: { type: 'integer' }, note: { type: 'string' } },
  required: ['amount'],
};

const tools = (count) =>
  Array.from({ length: count }, (_, at) => ({
    kind: 'tool',
    name: `tool_${at}`,
    inputSchema: INPUT,
    rule: { scopes: ['read'], roles: [], assurance: null, allowWorkload: false, source: `Tools.tool${at}` },
  }));
const CONDITIONS = [
  'principal.roles.contains("contractor")',
  'context.time.hour < 6',
  'context has ip && !context.ip.isInRange(ip("10.0.0.0/8"))',
];
/** Rules for every target (`general`) or for one tool each (`single`). */
const general = (count) =>
  Array.from(
    { length: count },
    (_, at) => `forbid(principal, action, resource) when { ${CONDITIONS[at % 3]} };`,
  );
const single = (count, of) =>
  Array.from(
    { length: count },
    (_, at) =>
      `forbid(principal, action == Action::"tool_${at % of}", resource) when { context.arguments.amount > ${100 + at} };`,
  );
const yaml = (count, of) =>
  `rules:\n${Array.from({ length: count }, (_, at) => `  - {match: tool_${at % of}, scopes: [read]}`).join('\n')}`;

function load(targets, texts) {
  const files = Object.entries(texts).map(([name, text]) => ({
    name,
    text,
    sha256: createHash('sha256').update(text).digest('hex'),
  }));
  return loadPolicy(BASE, targets, files.length > 0 ? files : undefined);
}

/** Microseconds per execution, median of several rounds. */
function measure(once, atLeastMs = 150) {
  once();
  const rounds = Array.from({ length: ROUNDS }, () => {
    let [count, started] = [0, performance.now()];
    do {
      once();
      count += 1;
    } while (performance.now() - started < atLeastMs);
    return ((performance.now() - started) * 1000) / count;
  });
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
}

const rows = [];
for (const count of [0, 10, 100, 1000]) {
  for (const [kind, texts] of [
    ['policy.yaml, each one tool', count ? { 'policy.yaml': yaml(count, 100) } : {}],
    ['Cedar, each one tool, on arguments', count ? { 'a.cedar': single(count, 100).join('\n') } : {}],
    ['Cedar, every tool', count ? { 'a.cedar': general(count).join('\n') } : {}],
  ]) {
    const targets = tools(100);
    const started = performance.now();
    const loaded = load(targets, texts);
    const loadMs = performance.now() - started;
    const decide = measure(() => evaluate(callerOf(PRINCIPAL, loaded.policy, ENVIRONMENT), targets[7]));
    const { arguments: _, ...noArguments } = ENVIRONMENT;
    const list = measure(() => listTargets(callerOf(PRINCIPAL, loaded.policy, noArguments), targets));
    loaded.dispose();
    rows.push({
      rules: count,
      kind,
      'decision µs': decide.toFixed(1),
      'list of 100 µs': list.toFixed(0),
      'load ms': loadMs.toFixed(0),
    });
    if (count === 0) break;
  }
}
console.log('100 tools');
console.table(rows);

const many = tools(1000);
const big = [];
for (const [kind, texts] of [
  ['no policy', {}],
  ['1,000 rules of policy.yaml', { 'policy.yaml': yaml(1000, 1000) }],
  ['3 Cedar rules, every tool', { 'a.cedar': general(3).join('\n') }],
  ['1,000 Cedar rules, each one tool', { 'a.cedar': single(1000, 1000).join('\n') }],
]) {
  const started = performance.now();
  const loaded = load(many, texts);
  const loadMs = performance.now() - started;
  const { arguments: _, ...noArguments } = ENVIRONMENT;
  const list = measure(() => listTargets(callerOf(PRINCIPAL, loaded.policy, noArguments), many));
  const decide = measure(() => evaluate(callerOf(PRINCIPAL, loaded.policy, ENVIRONMENT), many[500]));
  loaded.dispose();
  big.push({
    policy: kind,
    'list of 1,000 µs': list.toFixed(0),
    'decision µs': decide.toFixed(1),
    'load ms': loadMs.toFixed(0),
  });
}
console.log('1,000 tools');
console.table(big);

const steady = { before: 0, after: 0 };
const reloads = 200;
for (let at = 0; at < reloads; at++) {
  load(tools(20), {
    'a.cedar': general(50)
      .map((rule) => `// ${at}\n${rule}`)
      .join('\n'),
  }).dispose();
  if (at === 20) steady.before = process.memoryUsage().rss;
}
steady.after = process.memoryUsage().rss;
console.log(
  `memory over ${reloads - 20} reloads of 50 Cedar rules: ${(steady.before / 1e6).toFixed(0)} MB, then ${(steady.after / 1e6).toFixed(0)} MB`,
);
