import { startPoller, type Poller } from './poller.js';

let poller: Poller;

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  poller.stop();
  jest.useRealTimers();
});

it('runs the work once per interval, not at the start', () => {
  const work = jest.fn();
  poller = startPoller(work, 100);
  expect(work).not.toHaveBeenCalled();
  jest.advanceTimersByTime(350);
  expect(work).toHaveBeenCalledTimes(3);
});

it('skips ticks while the last run is pending', async () => {
  let finish: () => void = () => undefined;
  const work = jest.fn(() => new Promise<void>((resolve) => (finish = resolve)));
  poller = startPoller(work, 100);
  await jest.advanceTimersByTimeAsync(500);
  expect(work).toHaveBeenCalledTimes(1);
  finish();
  await jest.advanceTimersByTimeAsync(100);
  expect(work).toHaveBeenCalledTimes(2);
});

it('runs no work after stop()', () => {
  const work = jest.fn();
  poller = startPoller(work, 100);
  poller.stop();
  jest.advanceTimersByTime(500);
  expect(work).not.toHaveBeenCalled();
});

it('does not keep the process alive', () => {
  jest.useRealTimers();
  const before = process.getActiveResourcesInfo().length;
  poller = startPoller(() => undefined, 100);
  expect(process.getActiveResourcesInfo()).toHaveLength(before);
});
