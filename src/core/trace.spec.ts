import fc from 'fast-check';
import { traceOf } from './trace.js';

const ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${ID}-b7ad6b7169203331-01`;
const OTHER = `00-${'1'.repeat(32)}-b7ad6b7169203331-01`;

it.each([
  ['the message', { traceparent: PARENT }, undefined, ID],
  ['the message before the header', { traceparent: PARENT }, OTHER, ID],
  ['the header', undefined, PARENT, ID],
  ['the header where the message says nothing', {}, PARENT, ID],
  ['the header where the message says no text', { traceparent: 5 }, PARENT, ID],
  ['a revision of the future', undefined, `cc-${ID}-b7ad6b7169203331-01-more`, ID],
  ['neither', undefined, undefined, null],
  ['nothing', { traceparent: '' }, undefined, null],
  ['capitals', undefined, PARENT.toUpperCase(), null],
  ['only zeros', undefined, `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, null],
  ['too short an id', undefined, `00-${ID.slice(1)}-b7ad6b7169203331-01`, null],
  ['too long an id', undefined, `00-${ID}0-b7ad6b7169203331-01`, null],
  ['no parent', undefined, `00-${ID}`, null],
  ['something before it', undefined, ` ${PARENT}`, null],
  ['a parent of zeros', undefined, `00-${ID}-${'0'.repeat(16)}-01`, null],
  ['no hexadecimal', undefined, PARENT.replace('a', 'g'), null],
])('traceOf reads %s', (_name, meta, header, expected) => {
  expect(traceOf(meta, header)?.id ?? null).toBe(expected);
});

it('traceOf returns hexadecimal ids or undefined for random headers', () => {
  const odd = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string().map((text) => PARENT + text),
  );
  fc.assert(
    fc.property(odd, odd, (meta, header) => {
      const trace = traceOf({ traceparent: meta }, header);
      expect(trace?.id ?? ID).toMatch(/^[\da-f]{32}$/);
      expect(trace?.traceparent ?? PARENT).toMatch(/^[\da-f-]{55}$/);
    }),
  );
});
