import fc from 'fast-check';
import { nodeAddress, plainAddress } from './ip-addresses.js';

describe('plainAddress', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::1', '::1'],
    ['FD00:0:0::7', 'fd00::7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::FFFF:0a01:0203', '10.1.2.3'],
    ['0:0:0:0:0:ffff:10.1.2.3', '10.1.2.3'],
    ['::10.1.2.3', '::a01:203'],
    ['010.1.2.3', undefined],
    ['10.1.2', undefined],
    ['0x7f.0.0.1', undefined],
    ['2130706433', undefined],
    ['10.1.2.3%eth0', undefined],
    ['10.1.2.3:80', undefined],
    ['[::1]', undefined],
    ['localhost', undefined],
    ['unknown', undefined],
    ['', undefined],
    [' 10.1.2.3', undefined],
    ['10.1.2.3\n', undefined],
  ])('writes %j as %j', (text, expected) => {
    expect(plainAddress(text)).toBe(expected);
  });

  it('does not change a normalized address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const spelled = plainAddress(text) as string;
        expect(plainAddress(spelled)).toBe(spelled);
        expect(spelled).toMatch(/^[\da-f.:]+$/);
      }),
    );
  });
});

describe('nodeAddress', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.3:51008', '10.1.2.3'],
    ['10.1.2.3:0', '10.1.2.3'],
    ['10.1.2.3:_gazonk', '10.1.2.3'],
    ['fd00::7', 'fd00::7'],
    ['[fd00::7]', 'fd00::7'],
    ['[FD00::7]:51008', 'fd00::7'],
    ['[fd00::7]:_x.1-2', 'fd00::7'],
    ['[::ffff:10.1.2.3]:51008', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['[fe80::1%25eth0]:1', 'fe80::1'],
    ['10.1.2.3:65536', undefined],
    ['10.1.2.3:123456', undefined],
    ['10.1.2.3:', undefined],
    ['10.1.2.3:x', undefined],
    ['10.1.2.3:80:80', undefined],
    ['[10.1.2.3]', undefined],
    ['[10.1.2.3]:80', undefined],
    ['[fd00::7', undefined],
    ['fd00::7]', undefined],
    ['[[fd00::7]]', undefined],
    ['[fd00::7]51008', undefined],
    ['unknown', undefined],
    ['_hidden', undefined],
    ['example.com:80', undefined],
    ['10.1.2.3 10.1.2.4', undefined],
    ['', undefined],
  ])('reads %j as %j', (node, expected) => {
    expect(nodeAddress(node)).toBe(expected);
  });

  it('reads every address with and without a port, and never throws', () => {
    const port = fc.nat(65_535);
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV6(), port, fc.string(), (four, six, number, text) => {
        expect(nodeAddress(`${four}:${number}`)).toBe(four);
        expect(nodeAddress(`[${six}]:${number}`)).toBe(plainAddress(six));
        expect(nodeAddress(six)).toBe(plainAddress(six));
        nodeAddress(text);
      }),
    );
  });
});
