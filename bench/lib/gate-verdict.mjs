/** Compares the ratios of one run with the stored ratios. Pure functions. */
import { ratio } from './statistics.mjs';

/** The compared pairs; each ratio is a cost, so a higher value is worse. */
const PAIRS = [
  { id: 'legacy', name: 'tools/call, 2025-11-25', one: 'legacy', other: 'sdk' },
  { id: 'modern', name: 'tools/call, 2026-07-28', one: 'modern', other: 'sdk' },
  { id: 'list', name: 'tools/list of 100', one: 'list', other: 'sdk' },
  { id: 'legacy-bare', name: 'tools/call, 2025-11-25', one: 'legacy', other: 'bare' },
  { id: 'modern-bare', name: 'tools/call, 2026-07-28', one: 'modern', other: 'bare' },
  { id: 'list-bare', name: 'tools/list of 100', one: 'list', other: 'bare' },
];
const COSTS = [
  { by: 'processor', of: ({ cpu }) => cpu },
  { by: 'wait', of: ({ rate }) => 1 / rate },
];

/** @param onFile `ratios` by pair and cost, and `margins` by cost: 0.3 allows 30 % more */
export function compareWithFile({ cells }, { ratios, margins }) {
  const byRole = Object.fromEntries(cells.map((cell) => [cell.role, cell.rounds]));
  return PAIRS.filter(({ one, other }) => byRole[one] && byRole[other]).flatMap(({ id, name, one, other }) =>
    COSTS.map(({ by, of }) => {
      const key = `${id}/${by}`;
      const now = ratio(byRole[one], byRole[other], of).median;
      const filed = ratios[key];
      const pair = { id: key, name: `${name} : ${other}`, by, now };
      if (filed === undefined) return { ...pair, verdict: 'not on file' };
      const limit = filed * (1 + margins[by]);
      let verdict = 'as it was';
      if (now > limit) verdict = 'dearer';
      else if (now < filed / (1 + margins[by])) verdict = 'cheaper';
      return { ...pair, filed, limit, verdict };
    }),
  );
}
