import { setTimeout as sleep } from 'node:timers/promises';
import { preferFirst } from './prefer-first.js';

const PATIENCE_MS = 100;
const never = () => new Promise<string>(() => undefined);
const after = (ms: number, name: string) => () => sleep(ms, name);
const failing = (ms: number, name: string) => () => sleep(ms).then(() => Promise.reject(new Error(name)));

type Attempts = Parameters<typeof preferFirst<string>>[0];

it.each<[string, Attempts, string]>([
  ['returns the first where it answers in time', [after(10, 'a'), after(0, 'b')], 'a'],
  ['returns the second at once where the first fails', [failing(0, 'a'), after(0, 'b')], 'b'],
  ['returns the second where the first hangs', [never, after(0, 'b')], 'b'],
  ['returns the third where the others hang', [never, never, after(0, 'c')], 'c'],
  [
    'returns the third where the first hangs and the second fails',
    [never, failing(0, 'b'), after(0, 'c')],
    'c',
  ],
  ['prefers a first that is a little later than the second', [after(150, 'a'), after(0, 'b')], 'a'],
  ['waits for a slow first where all others fail', [after(300, 'a'), failing(0, 'b'), failing(0, 'c')], 'a'],
  ['returns the only one', [after(150, 'a')], 'a'],
])('preferFirst: %s', async (_name, attempts, expected) => {
  const begin = performance.now();
  expect(await preferFirst(attempts, PATIENCE_MS)).toBe(expected);
  expect(performance.now() - begin).toBeLessThan(2_000);
});

it('does not start the second attempt within the patience for the first', async () => {
  const second = jest.fn(after(0, 'b'));
  await preferFirst([after(10, 'a'), second], 1_000);
  expect(second).not.toHaveBeenCalled();
});

it('throws the errors of all attempts in their order', async () => {
  const attempts: Attempts = [failing(150, 'a'), failing(0, 'b'), failing(20, 'c')];
  const error = (await preferFirst(attempts, PATIENCE_MS).catch((one: unknown) => one)) as AggregateError;
  expect((error.errors as Error[]).map(({ message }) => message)).toEqual(['a', 'b', 'c']);
});
