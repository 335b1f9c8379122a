/** Moments as RFC 3339 writes them. Pure. */

const FORM = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/i;

/**
 * A date and a time with `Z` or an offset (RFC 3339 section 5.6); the seconds may be left out.
 * @returns milliseconds since the epoch; undefined for every other text, days that no month has included.
 */
export function readDateTime(text: string): number | undefined {
  const [, year, month, day] = FORM.exec(text) ?? [];
  if (year === undefined || !isDay(Number(year), Number(month), Number(day))) return undefined;
  const time = Date.parse(text.toUpperCase());
  return Number.isNaN(time) ? undefined : time;
}

/**
 * A day (`2026-11-22`): its beginning in UTC.
 * @returns milliseconds since the epoch; undefined for every other text, days that no month has included.
 */
export function readDay(text: string): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text) ?? [];
  if (year === undefined || !isDay(Number(year), Number(month), Number(day))) return undefined;
  return Date.parse(text);
}

/** JavaScript takes the 31st of February for the 3rd of March. */
function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}
