/** Reads repeated headers from `rawHeaders`: Node.js joins or drops repetitions. Pure. */
import type { IncomingMessage } from 'node:http';

/** A single-value header with different values. */
export const CONTRADICTION = Symbol('Contradiction');

/** @param name lower case. @returns all values, in order. */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const given = rawHeaders[at] as string;
    // The length excludes almost all other names.
    if (given.length === name.length && given.toLowerCase() === name)
      values.push(rawHeaders[at + 1] as string);
  }
  return values;
}

/**
 * Value of a single-value header. Repeated field lines with the same value count as one (RFC 9110 section 5.3).
 * @param name lower case; not a header that Node.js never joins.
 */
export function singleValue(
  request: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
  name: string,
): string | typeof CONTRADICTION | undefined {
  const joined = request.headers[name] as string | undefined;
  // Without a comma there is one field line.
  if (!joined?.includes(',')) return joined;
  const [first, ...more] = headerValues(request, name).map((value) => value.trim());
  return more.every((value) => value === first) ? first : CONTRADICTION;
}

/** The value that a list repeats, as a proxy joins field lines. Other texts are unchanged. */
export function withoutRepeats(text: string): string {
  if (!text.includes(',')) return text;
  const [first = '', ...more] = text.split(',').map((part) => part.trim());
  return more.length > 0 && more.every((part) => part === first) ? first : text;
}
