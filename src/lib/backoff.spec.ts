import { Backoff } from './backoff.js';

it('leaves alone for longer and longer, never for long, and not at all after the first failure or a success', () => {
  const pause = new Backoff();
  const lengths = Array.from({ length: 12 }, () => {
    pause.failed(1_000);
    return pause.left(1_000);
  });
  expect(lengths[0]).toBe(0);
  lengths.slice(1).forEach((length, at) => {
    const expected = Math.min(1_000 * 2 ** at, 60_000);
    expect(length).toBeGreaterThanOrEqual(expected * 0.8);
    expect(length).toBeLessThanOrEqual(expected * 1.2);
  });
  expect(pause.left(1_000_000)).toBe(0);
  pause.succeeded();
  expect(pause.left(1_000)).toBe(0);
  pause.failed(1_000);
  expect(pause.left(1_000)).toBe(0);
});
