import fc from 'fast-check';
import { readTime } from './read-time.js';

const NOW = new Date('2026-11-22T10:00:00.000Z');
const read = (text: string) => readTime(text, NOW, 'since');

it.each([
  ['7d', '2026-11-15T10:00:00.000Z'],
  ['12h', '2026-11-21T22:00:00.000Z'],
  ['30m', '2026-11-22T09:30:00.000Z'],
  ['2w', '2026-11-08T10:00:00.000Z'],
  ['0d', '2026-11-22T10:00:00.000Z'],
  ['2026-11-22', '2026-11-22T00:00:00.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
  ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000Z'],
  ['2026-11-22t10:00:00.5z', '2026-11-22T10:00:00.500Z'],
  ['2026-11-22T10:00+02:00', '2026-11-22T08:00:00.000Z'],
])('reads %s as %s', (text, time) => {
  expect(read(text)).toBe(time);
});

it.each([
  '7',
  '0',
  '2026',
  '7 d',
  '7D',
  '7y',
  '-7d',
  '1.5d',
  '7days',
  'd',
  '',
  ' ',
  'yesterday',
  'now',
  '1795341000',
  '1795341000000',
  '2026-11',
  '2026-02-31',
  '2026-02-29',
  '2026-13-01',
  '11/22/2026',
  '22.11.2026',
  '1 2',
  '2026-11-22T10:00:00',
  '2026-11-22 10:00:00Z',
  '2026-02-31T00:00:00Z',
  '2026-11-22T25:00:00Z',
  '2026-11-22T',
])('rejects %j and lists the accepted forms', (text) => {
  expect(() => read(text)).toThrow(
    /^--since: ".*" is not a valid time\. Use one of these forms: 7d .*2026-11-22T10:00:00Z with a zone\.$/,
  );
});

it('returns a time in the form of the records, or an error that lists the accepted forms', () => {
  const date = fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
  fc.assert(fc.property(date, (one) => expect(read(one.toISOString())).toBe(one.toISOString())));
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      try {
        expect(read(text)).toMatch(/^\d{4}-/);
      } catch (error) {
        expect((error as Error).message).toMatch(/^--since: /);
      }
    }),
  );
});
