/** Parses times of options. Pure. */
import { readDateTime, readDay } from '../../lib/date-time.js';
import { quote } from '../../lib/format-text.js';
import { UsageError } from '../usage.js';

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const FORMS =
  '7d (also m, h, w: minutes, hours and weeks before now), 2026-11-22, or 2026-11-22T10:00:00Z with a zone';

/**
 * `7d`, `12h`, `30m`, `2w` before now, a UTC day, or RFC 3339. A number needs a unit.
 * @returns RFC 3339 in UTC with milliseconds, as in records.
 * @throws UsageError with the option and the forms.
 */
export function readTime(text: string, now: Date, option: string): string {
  const [, count, unit = ''] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  const time =
    count === undefined
      ? (readDay(text) ?? readDateTime(text))
      : now.getTime() - Number(count) * (UNITS[unit] as number);
  if (time === undefined)
    throw new UsageError(
      `--${option}: ${quote(text, 40)} is not a valid time. Use one of these forms: ${FORMS}.`,
    );
  return new Date(time).toISOString();
}
