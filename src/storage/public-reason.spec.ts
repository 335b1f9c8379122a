import fc from 'fast-check';
import { publicReason } from './public-reason.js';

describe('publicReason', () => {
  it('returns message and code on one line', () => {
    const error = Object.assign(new Error('relation "a"\n does not exist'), { code: '42P01' });
    expect(publicReason(error, undefined)).toBe('relation "a" does not exist (42P01)');
  });

  it.each([
    [
      'an error without words',
      Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
      'AggregateError (ECONNREFUSED)',
    ],
    ['nothing at all', undefined, 'unknown error'],
    ['an empty error', new Error(''), 'Error'],
    ['one of PGlite', { name: 'ErrnoError', errno: 54 }, 'ErrnoError (54)'],
  ])('describes %s', (_, error, reason) => {
    expect(publicReason(error, 'postgres://u:p@h/d')).toBe(reason);
  });

  it('removes the URL, also an invalid one', () => {
    expect(publicReason(new Error('Invalid URL: postgres://u:p@ h:x'), 'postgres://u:p@ h:x')).toBe(
      'Invalid URL: ***',
    );
  });

  it('removes the password, encoded and decoded, from authority and query', () => {
    const password = fc
      .string({ unit: 'grapheme', minLength: 6, maxLength: 30 })
      .filter((text) => /^[^\s*]+$/.test(text));
    fc.assert(
      fc.property(password, fc.boolean(), (secret, inQuery) => {
        const encoded = encodeURIComponent(secret);
        const url = inQuery ? `postgres://h/d?password=${encoded}` : `postgres://u:${encoded}@h/d`;
        const reason = publicReason(new Error(`<${secret}> <${encoded}> <${url}>`), url);
        expect(reason).toBe('<***> <***> <***>');
      }),
    );
  });
});
