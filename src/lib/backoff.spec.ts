import { Backoff, backoffDelay } from './backoff.js';

it.each([
  [1, 1_000],
  [2, 2_000],
  [5, 16_000],
  [6, 30_000],
  [5_000, 30_000],
])('backoffDelay returns, after %i failures, %i ms', (failures, expected) => {
  expect(backoffDelay(failures, 1_000, 30_000)).toBe(expected);
});

it('Backoff pauses from the second failure on, doubles up to one minute, and resets on success', () => {
  const backoff = new Backoff();
  const lengths = Array.from({ length: 12 }, () => {
    backoff.failed(1_000);
    return backoff.left(1_000);
  });
  expect(lengths[0]).toBe(0);
  lengths.slice(1).forEach((length, at) => {
    const expected = Math.min(1_000 * 2 ** at, 60_000);
    expect(length).toBeGreaterThanOrEqual(expected * 0.8);
    expect(length).toBeLessThanOrEqual(expected * 1.2);
  });
  expect(backoff.left(1_000_000)).toBe(0);
  backoff.succeeded();
  expect(backoff.left(1_000)).toBe(0);
  backoff.failed(1_000);
  expect(backoff.left(1_000)).toBe(0);
});
