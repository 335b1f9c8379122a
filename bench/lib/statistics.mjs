/** From rounds to figures. Pure. */
import { median } from '../measure.mjs';

export { median };

/** Median, least and most of what the rounds gave; undefined where they gave nothing. */
export function summary(numbers) {
  const known = numbers.filter(Number.isFinite);
  if (known.length === 0) return undefined;
  return { median: median(known), least: Math.min(...known), most: Math.max(...known) };
}

/** How far the rounds lie apart, as a part of their median. */
export const spread = ({ median: middle, least, most }) => (most - least) / middle;

/**
 * One against another, round by round: both of a round were measured under the same weather.
 * @param figure of a round, the number that is compared
 */
export function ratio(rounds, against, figure) {
  return summary(rounds.map((round, at) => figure(round) / figure(against[at])));
}

/** The last third of the samples against the third before it; what the first third did was to warm up. */
export function growth(samples) {
  const third = Math.floor(samples.length / 3);
  if (third < 1) return undefined;
  const [before, after] = [samples.slice(-2 * third, -third), samples.slice(-third)].map(median);
  return { before, after, part: after / before - 1 };
}
