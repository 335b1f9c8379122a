/** What the doctor found, before it becomes lines on a screen or JSON. */
import type { ErrorCode } from '../../core/app-error.js';

/** Of a check of a token, or of a part of the configuration. `warn` does not change the exit code. */
export type State = 'ok' | 'warn' | 'fail' | 'not checked';

/** What to do about something: in one place, in the other, or in either. */
export interface Explanation {
  readonly message: string;
  /** What to change at the provider, or in the client that asks it. */
  readonly providerFix?: string;
  /** What to change in the configuration of this server. */
  readonly serverFix?: string;
}

export interface Advice extends Explanation {
  /** A stable name of what was recognized. */
  readonly rule: string;
}

export interface Line {
  readonly state: State;
  readonly name: string;
  readonly message: string;
  /** The reason that the server gives for the refusal. */
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
  /** The exit code is 0 where it is. */
  readonly good: boolean;
  readonly verdict: string;
  /** The reason that the server gives; null where it refuses nothing, and where no token was judged. */
  readonly reason: ErrorCode | null;
  readonly sections: readonly Section[];
}

export function isBad({ state }: Line): boolean {
  return state === 'fail';
}

export function isGood(sections: readonly Section[]): boolean {
  return !sections.some(({ lines = [] }) => lines.some(isBad));
}

/** How many lines are broken, and how many are to be looked at. */
export function verdictWords(sections: readonly Section[]): string {
  const lines = sections.flatMap(({ lines: all = [] }) => all);
  const broken = lines.filter(isBad).length;
  const odd = lines.filter(({ state }) => state === 'warn').length;
  const looks = odd === 0 ? '' : `; ${odd} to look at`;
  return broken === 0 ? `nothing is broken${looks}.` : `${broken} broken${looks}.`;
}

/** Of faults that stop the boot there is nothing further to ask. */
export function faultyConfiguration(faults: readonly string[]): Report {
  const title = `The configuration has ${faults.length} fault(s), and the server does not start:`;
  const sections: Section[] = [
    { title, lines: faults.map((message) => ({ state: 'fail', name: '', message })) },
  ];
  return { good: false, verdict: verdictWords(sections), reason: null, sections };
}
