import fc from 'fast-check';
import { AppError } from '../../core/app-error.js';
import { confirm, type Presented } from './confirmation.js';

/** RFC 9449 section 6.1, and RFC 8705 appendix A. */
const JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';
const X5T = 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0';
const BOTH: Presented = { proofThumbprint: JKT, certificateThumbprint: X5T };

function outcome(cnf: unknown, presented: Presented): unknown {
  try {
    return confirm(cnf, presented);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error).toMatchObject({
      code: 'token_binding',
      status: 401,
      challenge: { error: 'invalid_token' },
    });
    return error.message;
  }
}

it.each([
  ['unbound, nothing shown', undefined, {}, { dpop: false, mtls: false }],
  ['unbound, both shown', undefined, BOTH, { dpop: false, mtls: false }],
  ['a key', { jkt: JKT }, { proofThumbprint: JKT }, { dpop: true, mtls: false }],
  ['a certificate', { 'x5t#S256': X5T }, { certificateThumbprint: X5T }, { dpop: false, mtls: true }],
  ['a key, both shown', { jkt: JKT }, BOTH, { dpop: true, mtls: false }],
  ['both', { jkt: JKT, 'x5t#S256': X5T }, BOTH, { dpop: true, mtls: true }],
])('confirm accepts %s', (_, cnf, presented, expected) => {
  expect(outcome(cnf, presented)).toEqual(expected);
});

const NONE = 'none was sent';
const OTHER = 'bound to another';
const UNKNOWN = 'this server cannot check';

it.each<[string, unknown, Presented, string]>([
  ['no proof', { jkt: JKT }, {}, NONE],
  ['a certificate in place of a proof', { jkt: JKT }, { certificateThumbprint: JKT }, NONE],
  ['no certificate', { 'x5t#S256': X5T }, {}, NONE],
  ['a proof in place of a certificate', { 'x5t#S256': X5T }, { proofThumbprint: X5T }, NONE],
  ['a proof of another key', { jkt: JKT }, { proofThumbprint: X5T }, OTHER],
  ['another certificate', { 'x5t#S256': X5T }, { certificateThumbprint: JKT }, OTHER],
  ['both, without certificate', { jkt: JKT, 'x5t#S256': X5T }, { proofThumbprint: JKT }, NONE],
  ['both, without proof', { jkt: JKT, 'x5t#S256': X5T }, { certificateThumbprint: X5T }, NONE],
  [
    'both, another certificate',
    { jkt: JKT, 'x5t#S256': X5T },
    { proofThumbprint: JKT, certificateThumbprint: JKT },
    OTHER,
  ],
  ['in another case', { jkt: JKT.toLowerCase() }, { proofThumbprint: JKT }, OTHER],
  ['with padding', { jkt: `${JKT}=` }, { proofThumbprint: JKT }, UNKNOWN],
  ['cut short', { jkt: JKT.slice(1) }, { proofThumbprint: JKT.slice(1) }, UNKNOWN],
  ['empty, and nothing shown', { jkt: '' }, { proofThumbprint: '' }, UNKNOWN],
  ['a list', { jkt: [JKT] }, BOTH, UNKNOWN],
  ['null', { jkt: null }, BOTH, UNKNOWN],
  ['a number', { jkt: 1 }, BOTH, UNKNOWN],
  ['one that is known and one that is not', { jkt: JKT, kid: 'k' }, BOTH, UNKNOWN],
  ['one that is not known and one that is', { jwk: {}, jkt: JKT }, BOTH, UNKNOWN],
  ['__proto__', JSON.parse(`{"__proto__":{"jkt":"${JKT}"}}`), BOTH, UNKNOWN],
  ['constructor', { constructor: JKT }, BOTH, UNKNOWN],
  ['toString', { toString: JKT }, BOTH, UNKNOWN],
  ...[{}, null, [], [JKT], '', JKT, 0, true].map((cnf): [string, unknown, Presented, string] => [
    `cnf ${JSON.stringify(cnf)}`,
    cnf,
    BOTH,
    UNKNOWN,
  ]),
])('confirm rejects %s', (_, cnf, presented, says) => {
  expect(outcome(cnf, presented)).toContain(says);
});

it('confirm accepts matching members only, for random values of cnf', () => {
  const thumbprint = fc.oneof(fc.constantFrom(JKT, X5T), fc.string());
  const cnf = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(fc.oneof(fc.constantFrom('jkt', 'x5t#S256'), fc.string()), thumbprint, { maxKeys: 3 }),
  );
  fc.assert(
    fc.property(cnf, thumbprint, thumbprint, (value, proofThumbprint, certificateThumbprint) => {
      const held = outcome(value, { proofThumbprint, certificateThumbprint });
      if (typeof held === 'string') return;
      const expected: Record<string, string> = {};
      if ((held as { dpop: boolean }).dpop) expected.jkt = proofThumbprint;
      if ((held as { mtls: boolean }).mtls) expected['x5t#S256'] = certificateThumbprint;
      expect({ ...(value as object) }).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});
