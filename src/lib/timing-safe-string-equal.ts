/** Constant-time comparison of secrets. */
import { timingSafeEqual } from 'node:crypto';

/** The time does not depend on the position of a difference. The lengths are not secret. */
export function timingSafeStringEqual(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}
