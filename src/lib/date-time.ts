/** Reads RFC 3339 times. Pure. */

const FORM = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/i;

/**
 * Date and time with `Z` or an offset (RFC 3339 section 5.6). The seconds are optional.
 * @returns Unix time in milliseconds; undefined for other texts and impossible days.
 */
export function readDateTime(text: string): number | undefined {
  const [, year, month, day] = FORM.exec(text) ?? [];
  if (year === undefined || !isDay(Number(year), Number(month), Number(day))) return undefined;
  const time = Date.parse(text.toUpperCase());
  return Number.isNaN(time) ? undefined : time;
}

/**
 * A day (`2026-11-22`), as its start in UTC.
 * @returns Unix time in milliseconds; undefined for other texts and impossible days.
 */
export function readDay(text: string): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text) ?? [];
  if (year === undefined || !isDay(Number(year), Number(month), Number(day))) return undefined;
  return Date.parse(text);
}

/** JavaScript reads February 31 as March 3. */
function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}
