/** Declared conditions of tools as Cedar rules. Pure. */
import { createHash } from 'node:crypto';
import { targetLabel } from '../core/decision.js';
import type { ProtectedTarget } from './access-rule.js';
import type { OperatorFile } from './operator-files.js';

/** Not a possible file name of the operator: neither policy.yaml nor *.cedar. */
export const DECLARED_CONDITIONS = 'conditions';
/** Rule names are shorter than tool names. */
const MAX_ID = 60;

/** One rule per line for each condition; undefined without conditions. */
export function declaredConditions(targets: readonly ProtectedTarget[]): OperatorFile | undefined {
  const lines = targets.flatMap(rulesOf);
  if (lines.length === 0) return undefined;
  const text = lines.join('\n');
  return { name: DECLARED_CONDITIONS, text, sha256: createHash('sha256').update(text).digest('hex') };
}

/** Conditions of one target as rules. */
export function rulesOf(target: ProtectedTarget): string[] {
  return (target.conditions ?? []).map((condition, number) =>
    rule(target, condition, `${idOf(target)}.${number + 1}`),
  );
}

function rule(target: ProtectedTarget, condition: string, id: string): string {
  const action = `action == Action::${JSON.stringify(targetLabel(target))}`;
  return `@id(${JSON.stringify(id)}) forbid(principal, ${action}, resource) unless { ${condition.replace(/\s+/g, ' ')} };`;
}

/** Cuts a long name and adds a digest to keep it unique. */
function idOf(target: ProtectedTarget): string {
  const label = targetLabel(target).replace(':', '.');
  if (label.length <= MAX_ID) return label;
  const digest = createHash('sha256').update(label).digest('hex').slice(0, 8);
  return `${label.slice(0, MAX_ID - digest.length - 1)}.${digest}`;
}
