/** Report of the doctor before rendering. */
import type { ErrorCode } from '../../core/app-error.js';

/** Result of a check. `warn` does not change the exit code. */
export type State = 'ok' | 'warn' | 'fail' | 'not checked';

/** Remedies, at the provider or in this configuration. */
export interface Explanation {
  readonly message: string;
  /** Change at the provider or in the client. */
  readonly providerFix?: string;
  /** Change in the configuration of this server. */
  readonly serverFix?: string;
}

export interface Advice extends Explanation {
  /** Stable name of the recognized mistake. */
  readonly rule: string;
}

export interface Line {
  readonly state: State;
  readonly name: string;
  readonly message: string;
  /** Reason of the denial. */
  readonly reason?: ErrorCode;
  readonly advice?: Advice;
}

export interface Fact {
  readonly name: string;
  readonly value: string;
}

export interface Section {
  readonly title: string;
  readonly facts?: readonly Fact[];
  readonly lines?: readonly Line[];
}

export interface Report {
  /** True: exit code 0. */
  readonly good: boolean;
  readonly verdict: string;
  /** Reason of the server; null without a denial or a token. */
  readonly reason: ErrorCode | null;
  readonly sections: readonly Section[];
}

export function isBad({ state }: Line): boolean {
  return state === 'fail';
}

export function isGood(sections: readonly Section[]): boolean {
  return !sections.some(({ lines = [] }) => lines.some(isBad));
}

/** Counts failures and warnings. */
export function verdictWords(sections: readonly Section[]): string {
  const lines = sections.flatMap(({ lines: all = [] }) => all);
  const broken = lines.filter(isBad).length;
  const odd = lines.filter(({ state }) => state === 'warn').length;
  const looks = odd === 0 ? '' : `, ${odd} warning(s)`;
  return broken === 0 ? `no failures${looks}.` : `${broken} failed${looks}.`;
}

/** Faults that prevent the start end the examination. */
export function faultyConfiguration(faults: readonly string[]): Report {
  const title = `The configuration has ${faults.length} error(s), and the server does not start:`;
  const sections: Section[] = [
    { title, lines: faults.map((message) => ({ state: 'fail', name: '', message })) },
  ];
  return { good: false, verdict: verdictWords(sections), reason: null, sections };
}
