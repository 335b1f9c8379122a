/** Who can what: a decision for each principal and each target, and what differs between two of them. Pure. */
import { targetLabel } from '../common/decision.js';
import type { Reason } from '../common/reasons.js';
import { callerOf, evaluate } from '../policy/evaluate.js';
import type { LoadedPolicy } from '../policy/load-policy.js';
import type { Circumstances } from '../policy/policy.js';
import type { NamedPrincipal } from './principals.js';

/** `depends`: on the arguments. Otherwise the reason for which it is refused. */
export type Answer = 'allow' | 'depends' | Reason;

export interface MatrixCell {
  readonly answer: Answer;
  /** Of a refusal: where the rule stands. */
  readonly rule: string | undefined;
}

export interface Matrix {
  /** Names of the columns. */
  readonly principals: readonly string[];
  readonly rows: readonly { readonly target: string; readonly cells: readonly MatrixCell[] }[];
}

export interface CellChange {
  readonly target: string;
  readonly principal: string;
  readonly before: MatrixCell | undefined;
  readonly after: MatrixCell | undefined;
}

/** @param circumstances without arguments: what depends on them is said to. */
export function matrixOf(
  { policy, cedarRules }: LoadedPolicy,
  principals: readonly NamedPrincipal[],
  circumstances: Omit<Circumstances, 'arguments'>,
): Matrix {
  const onArguments = cedarRules.filter(({ needsArguments, onTrial }) => needsArguments && !onTrial);
  const dependent = new Set(onArguments.flatMap(({ labels }) => [...labels]));
  const callers = principals.map(({ principal }) => callerOf(principal, policy, circumstances));
  const targets = [...policy.targets.values()].map(({ target }) => target);
  const rows = targets.map((target) => {
    const label = targetLabel(target);
    const cells = callers.map((caller): MatrixCell => {
      const decision = evaluate(caller, target);
      if (decision.effect === 'deny') return { answer: decision.reason, rule: decision.rule };
      return { answer: dependent.has(label) ? 'depends' : 'allow', rule: undefined };
    });
    return { target: label, cells };
  });
  return {
    principals: principals.map(({ name }) => name),
    rows: rows.sort((a, b) => (a.target < b.target ? -1 : 1)),
  };
}

/** Cells that do not say the same, in the order of the rows; of what is only in one of them, the other side is undefined. */
export function changesBetween(before: Matrix, after: Matrix): CellChange[] {
  const cellsOf = ({ principals, rows }: Matrix) =>
    new Map(
      rows.flatMap(({ target, cells }) =>
        cells.map((cell, at) => [JSON.stringify([target, principals[at]]), cell] as const),
      ),
    );
  const [was, is] = [cellsOf(before), cellsOf(after)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((key) => was.get(key)?.answer !== is.get(key)?.answer)
    .map((key) => {
      const [target, principal] = JSON.parse(key) as [string, string];
      return { target, principal, before: was.get(key), after: is.get(key) };
    });
}
