/** Finds declared conditions that do not match the arguments of their target. Pure except for the engine. */
import { targetLabel } from '../core/decision.js';
import { escapeControlChars } from '../lib/format-text.js';
import type { ProtectedTarget } from './access-rule.js';
import { readCedarFiles, type CedarEngine } from './cedar/cedar-file.js';
import { schemaText } from './cedar/cedar-schema.js';
import { argumentsType, typeText } from './cedar/cedar-types.js';
import { DECLARED_CONDITIONS, rulesOf } from './declared-conditions.js';
import { startCedar } from './cedar/load-cedar.js';

/** First invalid condition of a target, by label, with its cause. */
export type UnfitConditions = ReadonlyMap<string, string>;

const MAX_LISTED = 20;

/** Checks each condition separately, so that one does not affect other targets. */
export function unfitConditions(targets: readonly ProtectedTarget[]): UnfitConditions {
  const found = new Map<string, string>();
  let cedar: CedarEngine | undefined;
  for (const target of targets) {
    for (const [number, text] of rulesOf(target).entries()) {
      cedar ??= startCedar();
      const fault = faultOf(cedar, target, text);
      if (fault === undefined) continue;
      // An engine without stack stays unusable.
      cedar = undefined;
      found.set(targetLabel(target), inWords(target, number + 1, fault));
      break;
    }
  }
  return found;
}

function faultOf(cedar: CedarEngine, target: ProtectedTarget, text: string): string | undefined {
  const faults: string[] = [];
  const file = { name: DECLARED_CONDITIONS, text, isShadow: false };
  const rules = readCedarFiles(cedar, [file], [target], schemaText([target]), faults);
  return faults[0] ?? (rules.length === 1 ? undefined : 'it is not a single Cedar expression');
}

function inWords(target: ProtectedTarget, number: number, fault: string): string {
  const why = fault.replace(/^conditions(:1)?: /, '').replace(/\.$/, '');
  return (
    `${target.name} is withheld: condition ${number} of ${target.rule.source} does not fit its arguments: ${why}. ` +
    `Correct the condition: it can read ${readable(target)}`
  );
}

/** Arguments with a Cedar type. */
function readable({ inputSchema }: ProtectedTarget): string {
  const { members } = argumentsType(inputSchema);
  const shown = [...members].slice(0, MAX_LISTED).map(([name, { type, required }]) => {
    const text = typeText(type);
    return `${name}${required ? '' : '?'}: ${text.length > 100 ? `${text.slice(0, 100)}…` : text}`;
  });
  if (members.size > MAX_LISTED) shown.push(`and ${members.size - MAX_LISTED} more`);
  return shown.length > 0 ? escapeControlChars(shown.join(', ')) : 'none of its arguments';
}
