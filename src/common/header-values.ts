/** What a header was sent with, each time that it was: Node joins, or drops, what is repeated. Pure. */
import type { IncomingMessage } from 'node:http';

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
