/** Parses a `*.cedar` file into rules with the facts that evaluation needs, or reports all faults with lines. Pure. */
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import { targetLabel } from '../../core/decision.js';
import type { ProtectedTarget } from '../access-rule.js';
import { ACTION_GROUPS } from './cedar-schema.js';
import type { ArgumentPath } from './cedar-types.js';

/** Functions of the engine; loaded with `*.cedar` files only. */
export type CedarEngine = typeof Cedar;

/** Errors of an engine without stack. It answers no further request. */
const ENGINE_CRASHES = ['RuntimeError', 'RangeError'];

export interface CedarRule {
  /** `hours.cedar: office-hours`; the line number without an id. */
  readonly source: string;
  readonly text: string;
  /** Message for the caller, if declared. */
  readonly message: string | undefined;
  /** Evaluated and recorded, without effect. */
  readonly isShadow: boolean;
  /** Labels of targets in its scope. */
  readonly labels: ReadonlySet<string>;
  /** Requires arguments, so it decides calls only. */
  readonly needsArguments: boolean;
  /** Arguments that it reads. */
  readonly reads: ReadonlySet<string>;
  /** The same with members. */
  readonly paths: readonly ArgumentPath[];
  /** Reads the action: results may differ between targets. */
  readonly looksAtAction: boolean;
  /** Named roles. */
  readonly roles: ReadonlySet<string>;
}

const ANNOTATIONS = ['id', 'message', 'mode', 'phase', 'description'];
const ID = /^[A-Za-z0-9_.-]{1,64}$/;
const MAX_MESSAGE = 300;
/** Nesting of brackets. The engine parses recursively; its stack (1 MiB) ends between 100 and 200. */
const MAX_BRACKETS = 64;
/** Nesting of operators. Evaluation recurses and ends between 200 and 500. */
const MAX_OPERATORS = 100;
const PRINCIPAL_ROLES = JSON.stringify({ '.': { left: { Var: 'principal' }, attr: 'roles' } });
const TOO_DEEP = `it nests more than ${MAX_OPERATORS} operators, which a || b || c … does too: write [a, b, c].contains(…), or several rules`;

export interface CedarFile {
  readonly name: string;
  readonly text: string;
  /** True for all rules without their own mode. */
  readonly isShadow: boolean;
}

/** A rule with the position of its parts. */
interface LocatedRule {
  readonly rule: CedarRule;
  fault(offset: number, what: string): void;
}

/**
 * @param schema schema text for the checks.
 * @returns the rules of all files, in the order of files and lines.
 */
export function readCedarFiles(
  cedar: CedarEngine,
  files: readonly CedarFile[],
  targets: readonly ProtectedTarget[],
  schema: string,
  faults: string[],
): CedarRule[] {
  const rules: LocatedRule[] = [];
  for (const file of files) {
    const down = `${file.name}: it nests too deeply for the engine`;
    if (!tryEngine(() => rules.push(...parseFile(cedar, file, targets, faults)), down, faults)) return [];
  }
  const names = files.map(({ name }) => name).join(', ');
  tryEngine(
    () => holdAgainst(cedar, schema, rules),
    `${names}: a rule nests too deeply for the engine`,
    faults,
  );
  return rules.map(({ rule }) => rule);
}

/** @returns false if the engine crashed, reported for the current file. */
function tryEngine(ask: () => void, down: string, faults: string[]): boolean {
  try {
    ask();
    return true;
  } catch (error) {
    if (!ENGINE_CRASHES.includes((error as Error).name)) throw error;
    faults.push(down);
    return false;
  }
}

function parseFile(
  cedar: CedarEngine,
  file: CedarFile,
  targets: readonly ProtectedTarget[],
  faults: string[],
): LocatedRule[] {
  const { name, text } = file;
  const bytes = Buffer.from(text, 'utf8');
  const lineAt = (offset: number) => bytes.subarray(0, offset).toString('utf8').split('\n').length;
  const fault = (offset: number, what: string) => void faults.push(`${name}:${lineAt(offset)}: ${what}`);
  const deep = deepBracket(bytes);
  if (deep !== undefined) {
    fault(deep, `it nests more than ${MAX_BRACKETS} brackets`);
    return [];
  }
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === 'failure') {
    for (const { message, help, sourceLocations } of parts.errors) {
      const [at] = sourceLocations ?? [];
      const expected = at?.label ? ` (${at.label})` : help ? ` (${help})` : '';
      fault(at?.start ?? 0, message.replace('failed to parse policies from string: ', '') + expected);
    }
    return [];
  }
  for (const template of parts.policy_templates) {
    fault(Math.max(0, bytes.indexOf(template)), 'templates are not supported: write a rule');
  }
  if (parts.policy_templates.length > 0) return [];
  // A truncated write would remove every rule silently.
  if (parts.policies.length === 0) fault(0, 'the file contains no rule: write one, or remove the file');
  const rules: LocatedRule[] = [];
  for (const { policy, offset } of located(bytes, parts.policies)) {
    const rule = toRule(cedar, policy, file, lineAt(offset), targets, (what) => fault(offset, what));
    if (!rule) continue;
    if (rules.some((one) => one.rule.source === rule.source)) {
      fault(offset, 'its @id repeats that of an earlier rule');
    }
    rules.push({ rule, fault: (inside, what) => fault(offset + inside, what) });
  }
  return rules;
}

/** Checks all rules together: the schema of many tools takes time. */
function holdAgainst(cedar: CedarEngine, schema: string, rules: readonly LocatedRule[]): void {
  const staticPolicies = Object.fromEntries(rules.map(({ rule }, at) => [String(at), rule.text]));
  const checked = cedar.validate({ schema, policies: { staticPolicies } });
  if (checked.type === 'failure') {
    throw new Error(
      `The rules cannot be checked: ${checked.errors.map(({ message }) => message).join('; ')}`,
    );
  }
  const told = new Set<string>();
  // A rule that can never apply is a typing error.
  for (const { policyId, error } of [...checked.validationErrors, ...checked.validationWarnings]) {
    if (told.has(policyId)) continue;
    told.add(policyId);
    const message = error.message.replace(/^for policy `\d+`, /, '') + (error.help ? `: ${error.help}` : '');
    rules[Number(policyId)]?.fault(error.sourceLocations?.[0]?.start ?? 0, message);
  }
}

/** The engine returns the rules sorted by its generated names (`policy0`, `policy1`, `policy10`), without positions. */
function located(bytes: Buffer, policies: readonly string[]): { policy: string; offset: number }[] {
  const byName = policies.map((_, at) => at).sort((a, b) => (`policy${a}` < `policy${b}` ? -1 : 1));
  const inOrder = policies.map((_, at) => policies[byName.indexOf(at)] as string);
  let reached = 0;
  return inOrder.map((policy) => {
    const offset = Math.max(reached, bytes.indexOf(policy, reached));
    reached = offset + Buffer.byteLength(policy);
    return { policy, offset };
  });
}

function toRule(
  cedar: CedarEngine,
  text: string,
  file: CedarFile,
  line: number,
  targets: readonly ProtectedTarget[],
  fault: (what: string) => void,
): CedarRule | undefined {
  const parsed = cedar.policyToJson(text);
  if (parsed.type === 'failure') {
    fault(parsed.errors.map(({ message }) => message).join('; '));
    return undefined;
  }
  const { effect, principal, action, conditions, annotations = {} } = parsed.json;
  if (effect === 'permit') {
    fault('permit has no effect: a policy can only forbid. Write forbid(…) unless { … }');
    return undefined;
  }
  for (const name of Object.keys(annotations).filter((one) => !ANNOTATIONS.includes(one))) {
    fault(`unknown annotation @${name}: supported are ${ANNOTATIONS.map((one) => `@${one}`).join(', ')}`);
  }
  const { id, message, mode, phase } = annotations;
  if (id !== undefined && !ID.test(id)) fault('its @id is not 1 to 64 characters of A-Z a-z 0-9 _ . -');
  if (mode !== undefined && mode !== 'shadow' && mode !== 'enforce')
    fault('its @mode is neither enforce nor shadow');
  if (phase !== undefined && phase !== 'list' && phase !== 'call')
    fault('its @phase is neither list nor call');
  if (message !== undefined && message.length > MAX_MESSAGE)
    fault(`its @message has more than ${MAX_MESSAGE} characters`);
  const use = usesOf(conditions);
  if (use.tooDeep) {
    fault(TOO_DEEP);
    return undefined;
  }
  const { needsArguments, reads, paths } = use;
  if (use.wholeContext) fault('it uses context as a whole: name its members');
  if (use.wholeArguments) fault('it uses context.arguments as a whole: name the arguments that it needs');
  if (phase === 'list' && needsArguments)
    fault('@phase("list") contradicts its arguments, which lists do not have');
  if (phase === 'call' && !needsArguments) {
    fault('@phase("call") requires a condition on arguments: otherwise lists would show forbidden targets');
  }
  const named = targets.filter((target) => isInScope(action, target));
  for (const target of named) {
    const altered = target.transformedProperties?.find((one) => reads.has(one));
    if (altered !== undefined) {
      fault(`it reads ${altered}, which ${targetLabel(target)} receives in transformed form`);
    }
  }
  return {
    source: `${file.name}: ${id ?? `line ${line}`}`,
    text,
    message,
    isShadow: mode === undefined ? file.isShadow : mode === 'shadow',
    labels: new Set(named.map(targetLabel)),
    needsArguments,
    reads,
    paths,
    looksAtAction: use.action,
    roles: new Set([...rolesIn(principal), ...use.roles]),
  };
}

function isInScope(action: Cedar.ActionConstraint, target: ProtectedTarget): boolean {
  if (action.op === 'All') return true;
  const ids = [targetLabel(target), ACTION_GROUPS[target.kind]];
  const named = 'entities' in action ? action.entities : 'entity' in action ? [action.entity] : [];
  // `==` names one action; `in` also those of a group.
  const accepted = action.op === '==' ? ids.slice(0, 1) : ids;
  return named.some((uid) => accepted.includes(('__entity' in uid ? uid.__entity : uid).id));
}

interface Uses {
  needsArguments: boolean;
  reads: Set<string>;
  paths: ArgumentPath[];
  action: boolean;
  roles: Set<string>;
  wholeContext: boolean;
  wholeArguments: boolean;
  tooDeep: boolean;
}

/** Reads of conditions, from their parsed form. */
function usesOf(conditions: readonly Cedar.Clause[]): Uses {
  const uses: Uses = {
    needsArguments: false,
    reads: new Set(),
    paths: [],
    action: false,
    roles: new Set(),
    wholeContext: false,
    wholeArguments: false,
    tooDeep: false,
  };
  for (const { body } of conditions) visit(body, uses, 0);
  return uses;
}

/** @param expression an operator with operands, a variable, or a value. */
function visit(expression: Cedar.Expr, uses: Uses, depth: number): void {
  if (depth > MAX_OPERATORS) {
    uses.tooDeep = true;
    return;
  }
  const path = contextPath(expression);
  if (path) return note(path, 'has' in expression, uses);
  if ('Value' in expression) {
    for (const role of rolesIn(expression.Value)) uses.roles.add(role);
    return;
  }
  for (const role of rolesHeld(expression)) uses.roles.add(role);
  if ('Var' in expression && expression.Var === 'action') uses.action = true;
  for (const operands of Object.values(expression)) {
    // By name, in a list, or members of a record with any names.
    if (typeof operands !== 'object' || operands === null) continue;
    for (const operand of Object.values(operands)) {
      if (typeof operand === 'object' && operand !== null) visit(operand as Cedar.Expr, uses, depth + 1);
    }
  }
}

/** `Role::"x"` in a value or in the scope. */
function rolesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { type, id } = value as { type?: unknown; id?: unknown };
  if (type === 'Role' && typeof id === 'string') return [id];
  return Object.values(value).flatMap(rolesIn);
}

/** `principal.roles.contains("x")` and similar expressions. */
function rolesHeld(expression: Cedar.Expr): string[] {
  const asked = Object.entries(expression).find(([name]) => name.startsWith('contains'))?.[1] as
    { left?: unknown; right?: unknown } | undefined;
  if (JSON.stringify(asked?.left) !== PRINCIPAL_ROLES) return [];
  const { Set: several } = (asked?.right ?? {}) as { Set?: unknown };
  return (Array.isArray(several) ? several : [asked?.right]).flatMap((one: unknown) => {
    const { Value: role } = one as { Value?: unknown };
    return typeof role === 'string' ? [role] : [];
  });
}

function note([member, ...names]: readonly string[], isPresence: boolean, uses: Uses): void {
  const [argument] = names;
  if (member === undefined) uses.wholeContext = true;
  if (member !== 'arguments') return;
  uses.needsArguments = true;
  if (argument === undefined) uses.wholeArguments = true;
  else {
    uses.reads.add(argument);
    uses.paths.push({ names, isPresence });
  }
}

/** Names after `context` in `context.a.b` and `context.a has b`; undefined for other nodes. */
function contextPath(node: object): string[] | undefined {
  if ((node as { Var?: unknown }).Var === 'context') return [];
  const access = (node as Record<string, unknown>)['.'] ?? (node as Record<string, unknown>).has;
  if (typeof access !== 'object' || access === null) return undefined;
  const { left, attr } = access as { left: unknown; attr: string | string[] };
  const before = typeof left === 'object' && left !== null ? contextPath(left) : undefined;
  return before && [...before, ...(Array.isArray(attr) ? attr : [attr])];
}

/** Position of excessive nesting of brackets, outside of strings and comments; undefined without it. */
function deepBracket(bytes: Buffer): number | undefined {
  let depth = 0;
  for (const { 0: found, index } of bytes
    .toString('latin1')
    .matchAll(/"(?:[^"\\]|\\.)*"?|\/\/.*|[([{]|[)\]}]/gs)) {
    if ('([{'.includes(found)) depth += 1;
    else if (')]}'.includes(found)) depth -= 1;
    if (depth > MAX_BRACKETS) return index;
  }
  return undefined;
}
