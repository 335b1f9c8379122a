/** Parses `policy.yaml`, or reports all faults with lines. Pure. */
import { IsArray, IsIn, IsOptional, IsString, Matches, MaxLength, ValidateIf } from 'class-validator';
import type { Assurance } from '../core/decision.js';
import { quote } from '../lib/format-text.js';
import { IsNumber, IsStringList } from '../config/rules.js';
import { checkEntry, parseYaml, type Entry, type FaultReporter } from '../config/yaml-file.js';
import { linesOf } from '../config/yaml-lines.js';
import { SCOPE_TOKEN, TARGET_LABEL_PATTERN } from '../core/patterns.js';
import { readRate, type Rate } from './rates.js';

export const POLICY_FILE = 'policy.yaml';

type Rates = ReadonlyMap<string, Rate | undefined>;

/** Rule of the operator in addition to code. */
export interface OperatorRule {
  /** Name in decisions: `policy.yaml: ID`. */
  readonly source: string;
  /** Line of the file. */
  readonly line: number;
  readonly match: readonly string[];
  readonly scopes: readonly string[];
  readonly roles: readonly (readonly string[])[];
  readonly assurance: Assurance | null;
  readonly workloads: ReadonlySet<string> | undefined;
  /** Names of classes of {@link OperatorPolicy.rates}. */
  readonly rates: readonly string[];
  /** Evaluated and recorded, without effect. */
  readonly isShadow: boolean;
}

export interface OperatorPolicy {
  readonly author: string | null;
  /** `mode: shadow`: the file changes no decision or list; effects are recorded. */
  readonly isShadow: boolean;
  /** Undefined: no restriction. */
  readonly allowList: readonly string[] | undefined;
  /** False with `list: callable`. */
  readonly listsObtainable: boolean;
  /** IANA name. */
  readonly timeZone: string;
  /** Direct implications only. */
  readonly scopeImplies: ReadonlyMap<string, readonly string[]>;
  readonly rates: ReadonlyMap<string, Rate>;
  readonly rules: readonly OperatorRule[];
  /** Names of `*.cedar` files in shadow mode. */
  readonly shadowFiles: readonly string[];
}

export const NO_OPERATOR_POLICY: OperatorPolicy = {
  author: null,
  isShadow: false,
  allowList: undefined,
  listsObtainable: true,
  timeZone: 'UTC',
  scopeImplies: new Map(),
  rates: new Map(),
  rules: [],
  shadowFiles: [],
};

const MODES = ['enforce', 'shadow'] as const;
type Mode = (typeof MODES)[number];
const MODE_FAULT = { message: 'must be enforce or shadow' };
const isPattern = (text: string) => TARGET_LABEL_PATTERN.test(text);
const isScope = (text: string) => SCOPE_TOKEN.test(text);
const PATTERNS = 'names of tools, prompt:NAME or resource:NAME, with * for any characters';
const ID = /^[A-Za-z0-9_.-]{1,64}$/;

class FileEntry {
  @IsOptional()
  @IsString({ message: 'must be a text' })
  @MaxLength(200, { message: 'must have at most 200 characters' })
  author?: string;

  @IsOptional()
  @IsIn(MODES, MODE_FAULT)
  mode?: Mode;

  @IsOptional()
  @IsStringList(isPattern, PATTERNS, { listOnly: true })
  allow_list?: string[];

  @IsOptional()
  @IsIn(['callable', 'obtainable'], { message: 'must be callable or obtainable' })
  list?: 'callable' | 'obtainable';

  @IsOptional()
  @Matches(/^[A-Za-z0-9_+/-]{1,64}$/, { message: 'must be a time zone such as Europe/Berlin' })
  time_zone?: string;

  /** Values are checked in {@link impliedScopes}. */
  @IsOptional()
  scope_implies?: unknown;

  /** Values are checked in {@link readRate}. */
  @IsOptional()
  rates?: unknown;

  /** Items are checked against {@link RuleEntry}. */
  @IsOptional()
  @IsArray({ message: 'must be a list' })
  rules?: unknown[];

  @IsOptional()
  @IsStringList((text) => text.endsWith('.cedar'), 'names of .cedar files', { listOnly: true })
  shadow?: string[];
}

class AssuranceEntry {
  @IsOptional()
  @IsStringList(isScope, 'authentication contexts')
  acr?: string | string[];

  /** Seconds. */
  @ValidateIf((entry: AssuranceEntry) => entry.acr === undefined || entry.max_age !== undefined)
  @IsNumber(1, 1_000_000_000)
  max_age?: number;
}

class RuleEntry {
  @IsOptional()
  @Matches(ID, { message: 'must be 1 to 64 characters of A-Z a-z 0-9 _ . -' })
  id?: string;

  @IsStringList(isPattern, PATTERNS)
  match: string | string[];

  @IsOptional()
  @IsStringList(isScope, 'scopes')
  scopes?: string | string[];

  /** One of them. */
  @IsOptional()
  @IsStringList(isScope, 'roles')
  roles?: string | string[];

  @IsOptional()
  assurance?: unknown;

  /** Client ids; `none` admits no workload. */
  @IsOptional()
  @IsStringList((text) => text !== '', 'client ids, or none')
  workloads?: string | string[];

  /** Names of defined classes. */
  @IsOptional()
  @IsStringList((text) => ID.test(text), 'names of classes under rates')
  rate?: string | string[];

  @IsOptional()
  @IsIn(MODES, MODE_FAULT)
  mode?: Mode;
}

const ASKS = ['scopes', 'roles', 'assurance', 'workloads', 'rate'] as const;

/** @returns undefined after a fault; each names file and line. */
export function readPolicyFile(text: string, faults: string[]): OperatorPolicy | undefined {
  const before = faults.length;
  const lines = linesOf(text);
  const report: FaultReporter = (place, fault) => {
    const line = place === '' ? '' : `:${lines(place)}`;
    faults.push(`${POLICY_FILE}${line}: ${place}${fault}`);
  };
  const entry = parseYaml(POLICY_FILE, () => text, 'rules', report);
  if (!entry) return undefined;
  checkEntry(FileEntry, entry, '', {}, report);
  const file = entry as FileEntry & Entry;
  const scopeImplies = impliedScopes(file.scope_implies, report);
  const rates = ratesOf(file.rates, report);
  const rules = Array.isArray(file.rules) ? file.rules : [];
  rules.forEach((one, at) => checkRule(one, `rules[${at}]`, rates, report));
  if (file.mode === 'shadow') checkShadowFile(file, rules, report);
  if (file.time_zone !== undefined && !isTimeZone(file.time_zone)) {
    report('time_zone: ', 'is not a time zone that this system knows');
  }
  if (faults.length > before) return undefined;
  const operatorRules = (rules as RuleEntry[]).map((one, at) =>
    toRule(one, at, file.mode, lines(`rules[${at}]`)),
  );
  operatorRules.forEach(({ source }, at) => {
    const first = operatorRules.findIndex((other) => other.source === source);
    if (first < at) report(`rules[${at}].id: `, `is the same as that of rules[${first}]`);
  });
  if (faults.length > before) return undefined;
  return {
    author: file.author ?? null,
    isShadow: file.mode === 'shadow',
    allowList: file.allow_list,
    listsObtainable:
      file.list === undefined ? NO_OPERATOR_POLICY.listsObtainable : file.list === 'obtainable',
    timeZone: file.time_zone ?? 'UTC',
    scopeImplies,
    // Without a fault all rates are valid.
    rates: rates as ReadonlyMap<string, Rate>,
    rules: operatorRules,
    shadowFiles: file.shadow ?? [],
  };
}

function checkRule(value: unknown, place: string, rates: Rates, report: FaultReporter): void {
  checkEntry(RuleEntry, value, place, { assurance: AssuranceEntry }, report);
  if (typeof value !== 'object' || value === null) return;
  const rule = value as RuleEntry;
  if (ASKS.every((name) => rule[name] === undefined)) {
    report(`${place}: `, `has no requirement: set at least one of ${ASKS.join(', ')}`);
  }
  for (const name of namesOf(rule.rate)) {
    if (!rates.has(name)) report(`${place}.rate: `, `unknown class ${quote(name)}: define it under rates`);
  }
}

/** Rejects members that contradict `mode: shadow`; ignoring them would hide the contradiction. */
function checkShadowFile(file: FileEntry, rules: readonly unknown[], report: FaultReporter): void {
  rules.forEach((rule, at) => {
    if ((rule as RuleEntry | null)?.mode === 'enforce') {
      report(
        `rules[${at}].mode: `,
        'contradicts mode: shadow of the file: remove that line, and set mode: shadow on each rule to try',
      );
    }
  });
  if (file.shadow !== undefined) {
    report(
      'shadow: ',
      'contradicts mode: shadow of the file, which has no effect on .cedar files: annotate their rules with @mode("shadow")',
    );
  }
}

function toRule(entry: RuleEntry, at: number, fileMode: Mode | undefined, line: number): OperatorRule {
  const { roles, workloads } = entry;
  const assurance = entry.assurance as AssuranceEntry | undefined;
  return {
    source: `${POLICY_FILE}: ${entry.id ?? `rules[${at}]`}`,
    line,
    match: texts(entry.match),
    scopes: texts(entry.scopes),
    roles: roles === undefined ? [] : [texts(roles)],
    assurance: assurance ? { acr: texts(assurance.acr), maxAgeSeconds: assurance.max_age ?? null } : null,
    workloads: workloads === undefined ? undefined : new Set(workloads === 'none' ? [] : texts(workloads)),
    rates: texts(entry.rate),
    isShadow: (entry.mode ?? fileMode) === 'shadow',
  };
}

/** @returns also invalid ones, so that rules with their names are not reported too. */
function ratesOf(value: unknown, report: FaultReporter): Rates {
  const rates = new Map<string, Rate | undefined>();
  for (const [name, entry] of entriesOf(value, 'rates', report)) {
    if (!ID.test(name)) report(`rates.${name}: `, 'is not a name of 1 to 64 characters of A-Z a-z 0-9 _ . -');
    rates.set(name, readRate(name, entry, report));
  }
  return rates;
}

function impliedScopes(value: unknown, report: FaultReporter): ReadonlyMap<string, readonly string[]> {
  const implied = new Map<string, readonly string[]>();
  for (const [scope, others] of entriesOf(value, 'scope_implies', report)) {
    const place = `scope_implies.${scope}: `;
    if (!isScope(scope)) report(place, 'is not a scope');
    const listed: unknown[] = Array.isArray(others) ? others : [others];
    if (listed.length === 0 || !listed.every((one) => typeof one === 'string' && isScope(one))) {
      report(place, 'must be a list of scopes');
    } else implied.set(scope, listed as string[]);
  }
  for (const scope of implied.keys()) {
    const cycle = cycleFrom(scope, implied);
    if (cycle) report(`scope_implies.${scope}: `, `implies itself: ${cycle.join(' → ')}`);
  }
  return implied;
}

/** All scopes that a scope implies. @param implied without cycles. */
export function closureOf(scope: string, implied: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Set<string>();
  const pending = [...(implied.get(scope) ?? [])];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    pending.push(...(implied.get(next) ?? []));
  }
  return [...found].sort();
}

/** Path from a scope back to itself; undefined without a cycle. */
function cycleFrom(start: string, implied: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const reachedFrom = new Map<string, string>();
  const pending = [start];
  for (let scope = pending.pop(); scope !== undefined; scope = pending.pop()) {
    for (const next of implied.get(scope) ?? []) {
      if (next === start) return [...wayBack(scope, reachedFrom).reverse(), next];
      if (reachedFrom.has(next)) continue;
      reachedFrom.set(next, scope);
      pending.push(next);
    }
  }
  return undefined;
}

function wayBack(from: string, reachedFrom: ReadonlyMap<string, string>): string[] {
  const way: string[] = [];
  for (let at: string | undefined = from; at !== undefined; at = reachedFrom.get(at)) way.push(at);
  return way;
}

function entriesOf(value: unknown, place: string, report: FaultReporter): [string, unknown][] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'object' && !Array.isArray(value)) return Object.entries(value);
  report(`${place}: `, 'must be a mapping');
  return [];
}

/** Names in a possibly invalid value; other types are already reported. */
function namesOf(value: unknown): string[] {
  const listed: unknown[] = Array.isArray(value) ? value : [value];
  return listed.filter((one) => typeof one === 'string');
}

function texts(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : [...new Set(value)];
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
