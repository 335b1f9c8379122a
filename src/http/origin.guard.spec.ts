import fc from 'fast-check';
import { isAllowedHost, isAllowedOrigin } from './origin.guard.js';

const HOSTS = ['gate.example.com', 'localhost', '127.0.0.1', '[::1]', 'only.example.com:8443'];
const ORIGINS = ['https://gate.example.com', 'http://localhost:3000'];

describe('isAllowedHost', () => {
  it.each([
    'gate.example.com',
    'GATE.example.com',
    'gate.example.com:443',
    'gate.example.com:1',
    'gate.example.com:',
    'gate.example.com.',
    'GATE.example.com.:443',
    'only.example.com.:8443',
    '127.0.0.1.',
    'localhost:3000',
    '127.0.0.1:3000',
    '[::1]',
    '[::1]:3000',
    'only.example.com:8443',
  ])('accepts %s', (host) => {
    expect(isAllowedHost(host, HOSTS)).toBe(true);
  });

  it.each([
    undefined,
    '',
    ' ',
    'evil.example',
    'gate.example.com..',
    'gate.example.com.evil',
    '.',
    '.gate.example.com',
    '[::1].',
    'only.example.com.:443',
    'gate.example.com.evil.example',
    'evil-gate.example.com',
    'xgate.example.com',
    'example.com',
    'gate.example.com@evil.example',
    'evil.example@gate.example.com',
    'gate.example.com#evil.example',
    'gate.example.com/evil',
    'gate.example.com\\evil',
    'gate.example.com?',
    'gate.example.com,evil.example',
    'gate.example.com evil.example',
    'gate.example.com\r\nx: y',
    'gate.example.com:99999',
    'gate.example.com:80:80',
    'gate.example.com:evil',
    '127.0.0.1.evil.example',
    '127.0.0.1.nip.io',
    'localhost.evil.example',
    'ⓖate.example.com',
    '::1',
    '[::1',
    '[::2]',
    'only.example.com',
    'only.example.com:443',
  ])('rejects %j', (host) => {
    expect(isAllowedHost(host, HOSTS)).toBe(false);
  });

  it('rejects every host with an empty list', () => {
    expect(isAllowedHost('localhost', [])).toBe(false);
  });

  it('accepts listed hosts with or without a port, also for random text', () => {
    const odd = fc.string({ unit: fc.constantFrom(...'.:@/\\#?[]%,- 0x\r\n'.split('')), maxLength: 4 });
    fc.assert(
      fc.property(odd, fc.constantFrom(...HOSTS), odd, (before, host, after) => {
        if (!isAllowedHost(before + host + after, HOSTS)) return;
        expect(before).toBe('');
        // A trailing dot does not change an address.
        expect(after).toMatch(/^\.?(:0*)?$/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('isAllowedOrigin', () => {
  it.each([undefined, 'https://gate.example.com', 'HTTPS://Gate.Example.com', 'http://localhost:3000'])(
    'accepts %s',
    (origin) => {
      expect(isAllowedOrigin(origin, ORIGINS)).toBe(true);
    },
  );

  it.each([
    '',
    'null',
    'NULL',
    '*',
    'http://gate.example.com',
    'https://gate.example.com:8443',
    'https://gate.example.com/',
    'https://gate.example.com.evil.example',
    'https://evil.example/https://gate.example.com',
    'https://user@gate.example.com',
    'https://sub.gate.example.com',
    'gate.example.com',
    'http://localhost',
    'http://localhost:30000',
    'http://localhost:3000, https://evil.example',
    'file://',
    'undefined',
  ])('rejects %j', (origin) => {
    expect(isAllowedOrigin(origin, ORIGINS)).toBe(false);
  });
});
