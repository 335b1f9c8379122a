/** Builds the policy from the operator's files and the registered targets, or reports all faults. */
import { targetLabel } from '../core/decision.js';
import { escapeControlChars } from '../lib/format-text.js';
import type { PolicySettings } from '../config/settings.js';
import type { ProtectedTarget } from './access-rule.js';
import { CedarConditions } from './cedar/cedar-conditions.js';
import { startCedar } from './cedar/load-cedar.js';
import { readCedarFiles, type CedarEngine, type CedarRule } from './cedar/cedar-file.js';
import { schemaText } from './cedar/cedar-schema.js';
import { DECLARED_CONDITIONS, declaredConditions, rulesOf } from './declared-conditions.js';
import { compilePolicy, enforcedPart, type OperatorParts } from './compile-policy.js';
import {
  digestOfFiles,
  ignoredFiles,
  PolicyError,
  readOperatorFiles,
  type OperatorFile,
} from './operator-files.js';
import { NO_OPERATOR_POLICY, POLICY_FILE, readPolicyFile, type OperatorPolicy } from './policy-file.js';
import type { Policy } from './policy.js';
import { unfitConditions, type UnfitConditions } from './unfit-conditions.js';

export interface LoadedPolicy {
  readonly policy: Policy;
  readonly author: string | null;
  readonly files: readonly OperatorFile[];
  /** Relaxations, and rules without effect yet. */
  readonly notices: readonly string[];
  /** Cedar rules of the operator, by their names in decisions. */
  readonly cedarRules: readonly CedarRule[];
  readonly operator: OperatorPolicy;
  /** Targets withheld because of an invalid declared condition. */
  readonly unfit: UnfitConditions;
  /** Releases the memory of the engine. */
  dispose(): void;
}

/** Maximum number of ignored files in a notice. */
const MAX_IGNORED = 10;

type Base = Pick<PolicySettings, 'allowList' | 'requireHuman'>;

/**
 * @param files undefined without a policy.
 * @throws PolicyError with every fault, with file and line.
 */
export function loadPolicy(
  base: Base,
  targets: readonly ProtectedTarget[],
  files: readonly OperatorFile[] | undefined,
): LoadedPolicy {
  const faults: string[] = [];
  const text = files?.find(({ name }) => name === POLICY_FILE)?.text;
  const operator = text === undefined ? NO_OPERATOR_POLICY : readPolicyFile(text, faults);
  const declared = declaredConditions(targets);
  const allFiles = files || declared ? [...(files ?? []), ...(declared ? [declared] : [])] : undefined;
  const cedarFiles = (files ?? []).filter(({ name }) => name !== POLICY_FILE);
  for (const name of operator?.shadowFiles ?? []) {
    if (!cedarFiles.some((file) => file.name === name)) {
      faults.push(`${POLICY_FILE}: shadow: unknown file ${name}`);
    }
  }
  const { cedar, cedarRules, unfit } = readRules(cedarFiles, operator?.shadowFiles ?? [], targets, faults);
  if (!operator || faults.length > 0) throw new PolicyError(faults);
  const timeZones = { enforced: enforcedPart(operator).timeZone, shadow: operator.timeZone };
  const conditions = cedar && new CedarConditions(cedar, startCedar, cedarRules, targets, timeZones);
  const parts: OperatorParts | undefined = allFiles && {
    digest: digestOfFiles(allFiles),
    policy: operator,
    conditions,
    conditionsShadow: cedarRules.some(({ isShadow }) => isShadow),
  };
  const policy = compilePolicy(base, withheldWhere(unfit, targets), parts, faults);
  if (faults.length > 0) {
    conditions?.dispose();
    throw new PolicyError(faults);
  }
  return {
    policy,
    author: operator.author,
    files: allFiles ?? [],
    notices: [...noticesOf(operator, cedarRules), ...unfit.values()],
    unfit,
    cedarRules,
    operator,
    dispose: () => conditions?.dispose(),
  };
}

/**
 * Policy of a folder, like {@link loadPolicy}; its notices include ignored files.
 * @param folder undefined without a policy.
 * @throws PolicyError
 */
export function loadPolicyFolder(
  base: Base,
  targets: readonly ProtectedTarget[],
  folder: string | undefined,
): LoadedPolicy {
  if (folder === undefined) return loadPolicy(base, targets, undefined);
  const ignored = ignoredFiles(folder).map(escapeControlChars);
  const loaded = loadPolicy(base, targets, readOperatorFiles(folder));
  if (ignored.length === 0) return loaded;
  const more = ignored.length > MAX_IGNORED ? ` and ${ignored.length - MAX_IGNORED} more` : '';
  const names = `${ignored.slice(0, MAX_IGNORED).join(', ')}${more}`;
  return { ...loaded, notices: [...loaded.notices, `temporary or hidden files are ignored: ${names}`] };
}

interface Rules {
  /** Undefined without rules. */
  readonly cedar: CedarEngine | undefined;
  readonly cedarRules: CedarRule[];
  readonly unfit: UnfitConditions;
}

/** Rules of the operator, and valid declared conditions. */
function readRules(
  files: readonly OperatorFile[],
  shadow: readonly string[],
  targets: readonly ProtectedTarget[],
  faults: string[],
): Rules {
  const own = files.map(({ name, text }) => ({ name, text, isShadow: shadow.includes(name) }));
  const schema = schemaText(targets);
  const attempt = (unfit: UnfitConditions): Rules & { faults: string[] } => {
    const found: string[] = [];
    const fitting = targets.filter((target) => !unfit.has(targetLabel(target)));
    const declared = declaredConditions(fitting);
    const all = declared ? [...own, { ...declared, isShadow: false }] : own;
    const cedar = all.length > 0 ? startCedar() : undefined;
    const cedarRules = cedar ? readCedarFiles(cedar, all, targets, schema, found) : [];
    const count = cedarRules.filter(({ source }) => source.startsWith(`${DECLARED_CONDITIONS}: `)).length;
    if (count !== fitting.flatMap(rulesOf).length) found.push(`${DECLARED_CONDITIONS}: one is not one rule`);
    return { cedar, cedarRules, unfit, faults: found };
  };
  const first = attempt(new Map());
  // Checks all at once, which is faster; after a failure each one separately.
  const isAtFault = first.faults.some((fault) => fault.includes(DECLARED_CONDITIONS));
  const unfit = isAtFault ? unfitConditions(targets) : first.unfit;
  const last = unfit.size > 0 ? attempt(unfit) : first;
  faults.push(...last.faults);
  return last;
}

function withheldWhere(
  unfit: UnfitConditions,
  targets: readonly ProtectedTarget[],
): readonly ProtectedTarget[] {
  if (unfit.size === 0) return targets;
  return targets.map((target) =>
    unfit.has(targetLabel(target))
      ? { ...target, withheld: `${target.rule.source}: a condition does not fit` }
      : target,
  );
}

function noticesOf(operator: OperatorPolicy, rules: readonly CedarRule[]): string[] {
  const implied = [...enforcedPart(operator).scopeImplies].map(
    ([scope, others]) => `scope_implies: ${scope} counts as ${others.join(' and ')} too`,
  );
  const shadowRules = [
    ...(operator.isShadow ? generalMembers(operator).map((name) => `${POLICY_FILE}: ${name}`) : []),
    ...[...operator.rules, ...rules].filter(({ isShadow }) => isShadow).map(({ source }) => source),
  ];
  return [
    ...implied,
    ...(shadowRules.length > 0 ? [`shadow mode, recorded without effect: ${shadowRules.join(', ')}`] : []),
  ];
}

/** Set members beside `rules`. */
function generalMembers(operator: OperatorPolicy): string[] {
  const { allowList, listsObtainable, timeZone, scopeImplies } = NO_OPERATOR_POLICY;
  return [
    ...(operator.allowList === allowList ? [] : ['allow_list']),
    ...(operator.listsObtainable === listsObtainable ? [] : ['list']),
    ...(operator.timeZone === timeZone ? [] : ['time_zone']),
    ...(operator.scopeImplies.size === scopeImplies.size ? [] : ['scope_implies']),
  ];
}
