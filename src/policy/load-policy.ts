/** From the operator's files, and what is registered, to the policy that decides; or every fault of it. Pure but for the engine. */
import type { PolicySettings } from '../config/settings.js';
import type { ProtectedTarget } from './access-rule.js';
import { CedarConditions } from './cedar-conditions.js';
import { startCedar } from './load-cedar.js';
import { readCedarFiles, type CedarEngine, type CedarRule } from './cedar-file.js';
import { schemaText } from './cedar-schema.js';
import { declaredConditions } from './declared-conditions.js';
import { compilePolicy, type OperatorParts } from './compile-policy.js';
import { digestOfFiles, PolicyError, type OperatorFile } from './operator-files.js';
import { NO_OPERATOR_POLICY, POLICY_FILE, readPolicyFile, type OperatorPolicy } from './policy-file.js';
import type { Policy } from './policy.js';

export interface LoadedPolicy {
  readonly policy: Policy;
  readonly author: string | null;
  readonly files: readonly OperatorFile[];
  /** What relaxes, or has no effect yet, in words. */
  readonly notices: readonly string[];
  /** Every rule of the operator's, by the name that decisions give. */
  readonly cedarRules: readonly CedarRule[];
  readonly operator: OperatorPolicy;
  /** Lets go of what the engine keeps. */
  dispose(): void;
}

type Base = Pick<PolicySettings, 'allowList' | 'requireHuman'>;

/**
 * @param files undefined where the operator has none.
 * @throws PolicyError with every fault, each with file and line where it has one.
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
  const cedarFiles = (allFiles ?? []).filter(({ name }) => name !== POLICY_FILE);
  for (const name of operator?.shadowFiles ?? []) {
    if (!cedarFiles.some((file) => file.name === name)) {
      faults.push(`${POLICY_FILE}: shadow: there is no ${name}`);
    }
  }
  const cedar = cedarFiles.length > 0 ? startCedar() : undefined;
  const cedarRules = cedar ? readRules(cedar, cedarFiles, operator?.shadowFiles ?? [], targets, faults) : [];
  if (!operator || faults.length > 0) throw new PolicyError(faults);
  const conditions = cedar && new CedarConditions(cedar, startCedar, cedarRules, targets, operator.timeZone);
  const parts: OperatorParts | undefined = allFiles && {
    digest: digestOfFiles(allFiles),
    policy: operator,
    conditions,
    conditionsOnTrial: cedarRules.some(({ onTrial }) => onTrial),
  };
  const policy = compilePolicy(base, targets, parts, faults);
  if (faults.length > 0) {
    conditions?.dispose();
    throw new PolicyError(faults);
  }
  return {
    policy,
    author: operator.author,
    files: allFiles ?? [],
    notices: noticesOf(operator, cedarRules),
    cedarRules,
    operator,
    dispose: () => conditions?.dispose(),
  };
}

function readRules(
  cedar: CedarEngine,
  files: readonly OperatorFile[],
  shadow: readonly string[],
  targets: readonly ProtectedTarget[],
  faults: string[],
): CedarRule[] {
  const marked = files.map(({ name, text }) => ({ name, text, onTrial: shadow.includes(name) }));
  return readCedarFiles(cedar, marked, targets, schemaText(targets), faults);
}

function noticesOf(operator: OperatorPolicy, rules: readonly CedarRule[]): string[] {
  const implied = [...operator.scopeImplies].map(
    ([scope, others]) => `scope_implies: ${scope} counts as ${others.join(' and ')} too`,
  );
  const trials = [
    ...(operator.allowListOnTrial && operator.allowList ? [`${POLICY_FILE}: allow_list`] : []),
    ...[...operator.rules, ...rules].filter(({ onTrial }) => onTrial).map(({ source }) => source),
  ];
  return [
    ...implied,
    ...(trials.length > 0 ? [`on trial, recorded and without effect: ${trials.join(', ')}`] : []),
  ];
}
