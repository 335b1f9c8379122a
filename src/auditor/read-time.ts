/** Times as people type them. Pure. */
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/**
 * `7d`, `12h`, `30m` before now, or a date.
 * @returns RFC 3339 in UTC with milliseconds, as records have it.
 * @throws Error that names the option.
 */
export function readTime(text: string, now: Date, option: string): string {
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  const time =
    count === undefined ? new Date(text) : new Date(now.getTime() - Number(count) * (UNITS[unit ?? ''] ?? 0));
  // JavaScript takes the 31st of February for the 3rd of March.
  const [day] = /^\d{4}-\d{2}-\d{2}$/.exec(text) ?? [];
  if (Number.isNaN(time.getTime()) || (day !== undefined && !time.toISOString().startsWith(day)))
    throw new Error(`--${option}: ${JSON.stringify(text)} is no time: 7d, 12h, 30m, or a date.`);
  return time.toISOString();
}
