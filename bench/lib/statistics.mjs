/** Figures from rounds. Pure functions. */
import { median } from '../measure.mjs';

export { median };

/** Median, minimum and maximum of the rounds; undefined without values. */
export function summary(numbers) {
  const known = numbers.filter(Number.isFinite);
  if (known.length === 0) return undefined;
  return { median: median(known), least: Math.min(...known), most: Math.max(...known) };
}

/** Range of the rounds divided by their median. */
export const spread = ({ median: middle, least, most }) => (most - least) / middle;

/**
 * Compares two cells round by round: both values of a round have the same conditions.
 * @param figure returns the compared number of a round
 */
export function ratio(rounds, against, figure) {
  return summary(rounds.map((round, at) => figure(round) / figure(against[at])));
}

/** Growth from the second to the last third of the samples; the first third is the warm-up. */
export function growth(samples) {
  const third = Math.floor(samples.length / 3);
  if (third < 1) return undefined;
  const [before, after] = [samples.slice(-2 * third, -third), samples.slice(-third)].map(median);
  return { before, after, part: after / before - 1 };
}
