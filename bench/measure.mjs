/** Common helpers of the benchmarks: load and formatting of figures. */

/** Repeats `act` with this concurrency for `milliseconds`. Waits are in milliseconds. */
export async function underLoad(concurrency, milliseconds, act) {
  const waits = [];
  const started = performance.now();
  const worker = async () => {
    while (performance.now() < started + milliseconds) {
      const begun = performance.now();
      await act();
      waits.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - started) / 1000;
  waits.sort((a, b) => a - b);
  const part = (share) => waits[Math.floor(waits.length * share)];
  return { rate: waits.length / seconds, p50: part(0.5), p99: part(0.99) };
}

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** One line of a table with the head `concurrency  place    …/s  p50 ms  p99 ms`; missing figures stay empty. */
export function line(concurrency, place, ...figures) {
  const [rate = '', p50 = '', p99 = ''] = figures.map((one) => one?.toFixed(one < 100 ? 2 : 0));
  return [
    String(concurrency).padStart(11),
    place.padEnd(7),
    rate.padStart(9),
    p50.padStart(6),
    p99.padStart(6),
  ].join('  ');
}
