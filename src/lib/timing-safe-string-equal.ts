/** Comparing what a stranger sent with what he must not be able to guess. */
import { timingSafeEqual } from 'node:crypto';

/** Takes the same time wherever the texts differ; their lengths are no secret. */
export function timingSafeStringEqual(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}
