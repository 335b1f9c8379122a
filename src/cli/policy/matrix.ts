/** Decisions for principals and targets, and differences of two matrices. Pure. */
import { targetLabel } from '../../core/decision.js';
import type { Reason } from '../../core/reasons.js';
import type { CedarRule } from '../../policy/cedar/cedar-file.js';
import { callerOf, evaluate } from '../../policy/evaluate.js';
import { isListed } from '../../policy/listing.js';
import type { LoadedPolicy } from '../../policy/load-policy.js';
import type { Environment } from '../../policy/policy.js';
import type { NamedPrincipal } from './principals.js';

/** `depends`: on the arguments. Otherwise allow, or the reason of the denial. */
export type Answer = 'allow' | 'depends' | Reason;

export interface MatrixCell {
  readonly answer: Answer;
  /** Deciding rule of a denial. */
  readonly rule: string | undefined;
  /** True if a list shows the target; absent if unknown. */
  readonly listed?: boolean;
}

export interface MatrixRow {
  readonly target: string;
  readonly cells: readonly MatrixCell[];
  /** Conditions that decide; absent if unknown. */
  readonly conditions?: readonly Pick<CedarRule, 'source' | 'text'>[];
}

export interface Matrix {
  /** Names of the columns. */
  readonly principals: readonly string[];
  readonly rows: readonly MatrixRow[];
}

export interface CellChange {
  readonly target: string;
  readonly principal: string;
  readonly before: MatrixCell | undefined;
  readonly after: MatrixCell | undefined;
  /** Changed conditions, if both cells depend on arguments. */
  readonly conditions?: readonly string[];
  /** New visibility, if only that changed. */
  readonly listed?: boolean;
}

/** @param environment without arguments; dependent cells become `depends`. */
export function matrixOf(
  { policy, cedarRules }: LoadedPolicy,
  principals: readonly NamedPrincipal[],
  environment: Omit<Environment, 'arguments'>,
): Matrix {
  const onArguments = cedarRules.filter(({ needsArguments, isShadow }) => needsArguments && !isShadow);
  const callers = principals.map(({ principal }) => callerOf(principal, policy, environment));
  const targets = [...policy.targets.values()].map(({ target }) => target);
  const rows = targets.map((target) => {
    const label = targetLabel(target);
    const conditions = onArguments.filter(({ labels }) => labels.has(label));
    const cells = callers.map((caller): MatrixCell => {
      const decision = evaluate(caller, target);
      const shown = { listed: isListed(decision, caller) };
      if (decision.effect === 'deny') return { answer: decision.reason, rule: decision.rule, ...shown };
      return { answer: conditions.length > 0 ? 'depends' : 'allow', rule: undefined, ...shown };
    });
    return { target: label, cells, conditions: conditions.map(({ source, text }) => ({ source, text })) };
  });
  return {
    principals: principals.map(({ name }) => name),
    rows: rows.sort((a, b) => (a.target < b.target ? -1 : 1)),
  };
}

/** Differing cells in the order of the rows. Undefined: missing on one side. */
export function changesBetween(before: Matrix, after: Matrix): CellChange[] {
  const [was, is] = [cellsOf(before), cellsOf(after)];
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((key) => {
    const [old, now] = [was.get(key), is.get(key)];
    const isOther = old?.cell.answer !== now?.cell.answer;
    const texts = [old?.dependsOn, now?.dependsOn];
    const dependsOtherwise =
      now?.cell.answer === 'depends' && !texts.includes(undefined) && texts[0] !== texts[1];
    const lists = [old?.cell.listed, now?.cell.listed];
    const isListedOtherwise = !lists.includes(undefined) && lists[0] !== lists[1];
    if (!isOther && !dependsOtherwise && !isListedOtherwise) return [];
    const [target, principal] = JSON.parse(key) as [string, string];
    const change = { target, principal, before: old?.cell, after: now?.cell };
    if (isOther) return change;
    return {
      ...change,
      ...(dependsOtherwise && { conditions: now?.conditions ?? [] }),
      ...(isListedOtherwise && { listed: now?.cell.listed === true }),
    };
  });
}

interface PlacedCell {
  readonly cell: MatrixCell;
  /** Names of the conditions. */
  readonly conditions: readonly string[];
  /** Texts of the conditions, independent of their place. Undefined: unknown. */
  readonly dependsOn: string | undefined;
}

function cellsOf({ principals, rows }: Matrix): Map<string, PlacedCell> {
  return new Map(
    rows.flatMap(({ target, cells, conditions }) => {
      const dependsOn = conditions && JSON.stringify(conditions.map(({ text }) => text).sort());
      const names = (conditions ?? []).map(({ source }) => source);
      return cells.map(
        (cell, at) =>
          [JSON.stringify([target, principals[at]]), { cell, conditions: names, dependsOn }] as const,
      );
    }),
  );
}
