import { allCauses, causeChain, rootCause, rootMessage } from './root-cause.js';

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const failed = new TypeError('fetch failed', { cause: refused });

/** An error with this many nested causes. */
function nested(causes: number): Error {
  return causes === 0 ? new Error('root') : new Error(`cause ${causes}`, { cause: nested(causes - 1) });
}

function cyclic(): Error {
  const error = new Error('cycle');
  error.cause = error;
  return error;
}

describe('rootMessage', () => {
  it.each([
    ['the root of a chain', failed, 'connect ECONNREFUSED'],
    [
      'each error of an AggregateError',
      new AggregateError([new Error('a'), new TypeError('b', { cause: new Error('c') })]),
      'a; c',
    ],
    ['the name of an error without a message', new RangeError(), 'RangeError'],
    ['a text that was thrown', 'text', 'text'],
    ['the first 500 characters', new Error('x'.repeat(1_000)), 'x'.repeat(500)],
    ['the error of a cycle', cyclic(), 'cycle'],
  ])('returns the message %s', (_name, error, message) => expect(rootMessage(error)).toBe(message));
});

describe('rootCause', () => {
  it.each([
    ['the error itself where it has no cause', refused, refused],
    ['the last cause', failed, refused],
    ['a cause that is no object', new Error('x', { cause: 'text' }), 'text'],
    ['undefined where nothing was thrown', undefined, undefined],
  ])('returns %s', (_name, error, root) => expect(rootCause(error)).toBe(root));
});

describe('causeChain', () => {
  it('lists the errors from the outermost in', () => expect(causeChain(failed)).toEqual([failed, refused]));
  it('ends after 5 errors', () => expect(causeChain(nested(9))).toHaveLength(5));
  it('ends in a cycle', () => expect(causeChain(cyclic())).toHaveLength(5));
  it('is empty for a value that is not an object', () => expect(causeChain('text')).toEqual([]));
});

describe('allCauses', () => {
  it('lists the errors of an AggregateError after its cause', () => {
    const all = new AggregateError([failed, new Error('b')], 'all', { cause: new Error('a') });
    expect(allCauses(all).map(({ message }) => message)).toEqual([
      'all',
      'a',
      'fetch failed',
      'b',
      'connect ECONNREFUSED',
    ]);
  });
  it('ends after 20 errors', () => expect(allCauses(nested(50))).toHaveLength(20));
});
