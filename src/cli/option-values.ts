/** Validates option values. Pure. */
import { UsageError } from './usage.js';

/** For repeatable options. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** @throws UsageError for a value outside of the list. */
export function oneOf<T extends string>(option: string, values: readonly T[]): (text: string) => T {
  return (text) => {
    const known = values.find((one) => one === text);
    if (known === undefined) throw new UsageError(`--${option} must be one of ${values.join(', ')}.`);
    return known;
  };
}

/** @throws UsageError for an empty value. */
export function notEmpty(option: string): (text: string) => string {
  return (text) => {
    if (text === '') throw new UsageError(`--${option} is empty.`);
    return text;
  };
}
