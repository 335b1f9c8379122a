import { Progress } from './progress.js';

const AFTER_MS = 2_000;

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function begin(isTTY: boolean): { progress: Progress; lines: string[] } {
  const lines: string[] = [];
  return { progress: new Progress({ isTTY, write: (text) => lines.push(text) }), lines };
}

it('prints the activity after two seconds, and later activities at once', () => {
  const { progress, lines } = begin(true);
  progress.report('Asking a');
  progress.report('Asking b');
  jest.advanceTimersByTime(AFTER_MS - 1);
  expect(lines).toEqual([]);
  jest.advanceTimersByTime(1);
  progress.report('Asking c');
  expect(lines).toEqual(['Asking b …\n', 'Asking c …\n']);
});

it('prints no line without a terminal and no line after the end', () => {
  const piped = begin(false);
  piped.progress.report('Asking a');
  const ended = begin(true);
  ended.progress.report('Asking a');
  ended.progress.stop();
  jest.advanceTimersByTime(AFTER_MS * 2);
  expect([piped.lines, ended.lines]).toEqual([[], []]);
});
