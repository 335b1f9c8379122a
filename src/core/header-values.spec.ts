import { CONTRADICTION, headerValues, singleValue, withoutRepeats } from './header-values.js';

const NAME = 'mcp-name';
/** A request as Node.js presents it. */
const request = (...values: string[]) => ({
  headers: values.length > 0 ? { [NAME]: values.join(', ') } : {},
  rawHeaders: ['Host', 'x', ...values.flatMap((value) => ['Mcp-Name', value])],
});

describe('singleValue', () => {
  it.each<[string[], string | symbol | undefined]>([
    [[], undefined],
    [[''], ''],
    [['a'], 'a'],
    [['a, b'], 'a, b'],
    [['a', 'a'], 'a'],
    [['a', 'a', 'a'], 'a'],
    [['a, b', 'a, b'], 'a, b'],
    [['a', 'b'], CONTRADICTION],
    [['a', 'A'], CONTRADICTION],
    [['a', ''], CONTRADICTION],
    [['a', 'a, a'], CONTRADICTION],
  ])('reads the lines %j', (lines, expected) => {
    expect(singleValue(request(...lines), NAME)).toBe(expected);
    expect(headerValues(request(...lines), NAME)).toEqual(lines);
  });
});

describe('withoutRepeats', () => {
  it.each([
    ['a', 'a'],
    ['a, a', 'a'],
    ['a,a , a', 'a'],
    ['a, b', 'a, b'],
    ['a, A', 'a, A'],
    ['a,', 'a,'],
    ['', ''],
  ])('reads %j as %j', (text, expected) => {
    expect(withoutRepeats(text)).toBe(expected);
  });
});
