/** Values of options, checked as the command line is read. Pure. */
import { UsageError } from './usage.js';

/** For options that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** @throws UsageError for a value outside of the list: a typing error would find nothing. */
export function oneOf<T extends string>(option: string, values: readonly T[]): (text: string) => T {
  return (text) => {
    const known = values.find((one) => one === text);
    if (known === undefined) throw new UsageError(`--${option} is one of ${values.join(', ')}.`);
    return known;
  };
}

/** @throws UsageError for an empty text. */
export function notEmpty(option: string): (text: string) => string {
  return (text) => {
    if (text === '') throw new UsageError(`--${option} is empty.`);
    return text;
  };
}
