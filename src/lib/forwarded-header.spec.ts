import fc from 'fast-check';
import { forwardedElements } from './forwarded-header.js';

const read = (header: string) => [...forwardedElements(header)].map((one) => one && [one.for, one.proto]);

describe('forwardedElements', () => {
  it.each<[string, unknown[]]>([
    ['for=10.1.2.3', [['10.1.2.3', undefined]]],
    ['For="[2001:DB8::1]:4711";Proto=HTTPS', [['[2001:DB8::1]:4711', 'https']]],
    ['for=10.1.2.3;proto=https;by=203.0.113.43;host=x', [['10.1.2.3', 'https']]],
    ['for=[2001:db8::1]:80', [['[2001:db8::1]:80', undefined]]],
    ['for=10.1.2.3:80', [['10.1.2.3:80', undefined]]],
    [
      'for=_hidden, for=unknown',
      [
        ['unknown', undefined],
        ['_hidden', undefined],
      ],
    ],
    [
      'for=1;proto=http, for=2;proto=https',
      [
        ['2', 'https'],
        ['1', 'http'],
      ],
    ],
    [
      ' for=1 ; proto=http ,, for=2 ,',
      [
        ['2', undefined],
        ['1', 'http'],
      ],
    ],
    ['by=1', [[undefined, undefined]]],
    ['', []],
    [
      'for="a,b", for=1',
      [
        ['1', undefined],
        ['a,b', undefined],
      ],
    ],
    ['for="x, for=1', [['1', undefined], undefined]],
    ['for="x, for="[fd00::7]:1";proto=https', [['[fd00::7]:1', 'https'], undefined]],
    ['garbage, for=1', [['1', undefined], undefined]],
    ['for=0, garbage, for=1', [['1', undefined], undefined]],
    ['for=1;for=2', [undefined]],
    ['for=1;FOR=2', [undefined]],
    ['for', [undefined]],
    ['for=', [undefined]],
    ['for="a\\"b"', [undefined]],
    ['for=1 proto=https', [undefined]],
    ['for = 1', [undefined]],
  ])('reads %j from its end as %j', (header, expected) => {
    expect(read(header)).toEqual(expected);
  });

  it('reads the same last element after any prefix from a client', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', '\\', ',', ';', '=', 'for', ' ', '1') }), (sent) => {
        expect(read(`${sent}, for="[fd00::7]:1";proto=https`)[0]).toEqual(['[fd00::7]:1', 'https']);
        expect(read(`${sent}, for=10.1.2.3`)[0]).toEqual(['10.1.2.3', undefined]);
      }),
    );
  });

  it('reads a long header in linear time', () => {
    const started = performance.now();
    for (const piece of ['"', ',', 'for=1,', 'for="', ';', '=']) read(piece.repeat(16_000 / piece.length));
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
