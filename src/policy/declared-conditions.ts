/** Conditions that stand beside a tool's declaration, as rules of the engine that decides the operator's. Pure. */
import { createHash } from 'node:crypto';
import { targetLabel } from '../core/decision.js';
import type { ProtectedTarget } from './access-rule.js';
import type { OperatorFile } from './operator-files.js';

/** No file of the operator's can have this name: it is neither the policy's nor ends in `.cedar`. */
export const DECLARED_CONDITIONS = 'conditions';
/** Names of rules are shorter than those of tools can be. */
const MAX_ID = 60;

/** One rule a line, for each condition of each target; undefined where none has any. */
export function declaredConditions(targets: readonly ProtectedTarget[]): OperatorFile | undefined {
  const lines = targets.flatMap(rulesOf);
  if (lines.length === 0) return undefined;
  const text = lines.join('\n');
  return { name: DECLARED_CONDITIONS, text, sha256: createHash('sha256').update(text).digest('hex') };
}

/** The conditions of one target, each as a rule. */
export function rulesOf(target: ProtectedTarget): string[] {
  return (target.conditions ?? []).map((condition, number) =>
    rule(target, condition, `${idOf(target)}.${number + 1}`),
  );
}

function rule(target: ProtectedTarget, condition: string, id: string): string {
  const action = `action == Action::${JSON.stringify(targetLabel(target))}`;
  return `@id(${JSON.stringify(id)}) forbid(principal, ${action}, resource) unless { ${condition.replace(/\s+/g, ' ')} };`;
}

/** A long name is cut; a digest tells it from others that begin alike. */
function idOf(target: ProtectedTarget): string {
  const label = targetLabel(target).replace(':', '.');
  if (label.length <= MAX_ID) return label;
  const digest = createHash('sha256').update(label).digest('hex').slice(0, 8);
  return `${label.slice(0, MAX_ID - digest.length - 1)}.${digest}`;
}
