/** Makes external values safe for a terminal: no cursor movement, no invisible characters, a limited length. */

const MAX_TEXT = 200;
const MAX_ITEMS = 12;

/** Quotes a string, cut to `length`, with invisible characters escaped. Of other values states the type only. */
export function quote(value: unknown, length = MAX_TEXT): string {
  if (Array.isArray(value)) return formatList(value, length);
  if (typeof value !== 'string') return kindOf(value);
  const cut = value.length > length ? `${value.slice(0, length)}…` : value;
  return `"${escapeControlChars(cut)}"`;
}

/** Quotes each item; shows the start of a long list. */
export function formatList(values: readonly unknown[], length = MAX_TEXT): string {
  if (values.length === 0) return 'none';
  const shown = values
    .slice(0, MAX_ITEMS)
    .map((value) => (Array.isArray(value) ? 'a list' : quote(value, length)));
  const more = values.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** `a, b or c`. */
export function formatAlternatives(values: readonly string[]): string {
  const last = values.at(-1) ?? 'none';
  return values.length < 2 ? last : `${values.slice(0, -1).join(', ')} or ${last}`;
}

/** Message of another program, on one line. */
export function escapeControlChars(text: string): string {
  return text.replace(/["\\]|\p{C}|\p{Z}/gu, (character) => (character === ' ' ? ' ' : escaped(character)));
}

/** The text on one line, with control and invisible characters escaped. */
export function onOneLine(text: string): string {
  return text.replace(/\p{C}|[\u2028\u2029]/gu, escaped);
}

/** `90 s`, `1 h 30 min`: at most two units. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'no end of time';
  let rest = Math.round(Math.abs(seconds));
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ') || '0 s';
}

/** A time relative to now: `12 s ago`, `in 5 min`. */
export function formatRelativeTime(time: number, now: number): string {
  return time <= now ? `${duration(now - time)} ago` : `in ${duration(time - now)}`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

function escaped(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  return value === null ? 'null' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}
