/** What a header was sent with, each time that it was: Node joins, or drops, what is repeated. Pure. */
import type { IncomingMessage } from 'node:http';

/** A header that has one value, sent with several that differ. */
export const CONTRADICTION = Symbol('Contradiction');

/** @param name in lower case. @returns every value, in order. */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const given = rawHeaders[at] as string;
    // Almost all others are told apart by their length.
    if (given.length === name.length && given.toLowerCase() === name)
      values.push(rawHeaders[at + 1] as string);
  }
  return values;
}

/**
 * The value of a header that has one: field lines that repeat it say the same again (RFC 9110 section 5.3).
 * @param name in lower case; not one of the headers that Node never joins.
 */
export function singleValue(
  request: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
  name: string,
): string | typeof CONTRADICTION | undefined {
  const joined = request.headers[name] as string | undefined;
  // Without a comma there is one line.
  if (!joined?.includes(',')) return joined;
  const [first, ...more] = headerValues(request, name).map((value) => value.trim());
  return more.every((value) => value === first) ? first : CONTRADICTION;
}

/** The one value that a list repeats, as a proxy joins field lines; the text itself where it is no such list. */
export function withoutRepeats(text: string): string {
  if (!text.includes(',')) return text;
  const [first = '', ...more] = text.split(',').map((part) => part.trim());
  return more.length > 0 && more.every((part) => part === first) ? first : text;
}
