import fc from 'fast-check';
import { isOneLine, isPlainAddress } from './text-rules.js';

describe('isPlainAddress', () => {
  it.each([
    'ada@example.com',
    'a.b+tag@mail.example.org',
    "o'neil@example.com",
    'x=y~z_1-2@xn--bcher-kva.example',
  ])('accepts %s', (text) => expect(isPlainAddress(text)).toBe(true));

  it.each([
    'ada@example.com, eve@example.net',
    'ada@example.com;eve@example.net',
    'ada@example.com eve@example.net',
    'Ada <ada@example.com>',
    '<ada@example.com>',
    'ada@example.com>',
    'friends: ada@example.com;',
    'ada@example.com\r\nBcc: eve@example.net',
    'ada@example.com\r\n',
    'ada@example.com\n',
    '\nada@example.com',
    'ada\0@example.com',
    '"ada\r\nRCPT TO:<eve@example.net>"@example.com',
    '"ada"@example.com',
    'ada(comment)@example.com',
    'eve%example.net@example.com',
    'example.net!eve@example.com',
    '@example.net:ada@example.com',
    'ada@[127.0.0.1]',
    'ada@localhost',
    'ada@exämple.com',
    'ädä@example.com',
    'ada@@example.com',
    'ada.@example.com',
    '.ada@example.com',
    'a..b@example.com',
    'ada@example..com',
    'ada',
    '',
    `${'a'.repeat(65)}@example.com`,
    `ada@${'a.'.repeat(130)}com`,
  ])('rejects %j', (text) => expect(isPlainAddress(text)).toBe(false));

  it.each([undefined, null, 7, ['ada@example.com'], { address: 'ada@example.com' }])('rejects %j', (value) =>
    expect(isPlainAddress(value)).toBe(false),
  );

  it('accepts only texts that headers and SMTP commands read as one address', () => {
    const pieces = fc.constantFrom(
      'ada',
      '@',
      'example.com',
      '.',
      ',',
      ';',
      '<',
      '>',
      '"',
      '\r',
      '\n',
      ' ',
      '\\',
      ':',
      '(',
    );
    const text = fc.array(pieces, { maxLength: 8 }).map((list) => list.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.string(), fc.emailAddress()), (candidate) => {
        if (isPlainAddress(candidate)) expect(candidate).toMatch(/^[^\s,;<>"\\:()@]+@[^\s,;<>"\\:()@]+$/);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('isOneLine', () => {
  it.each(['a', ' a ', 'Grüße, 東京', '👩‍🚀', "'; drop table customers; --"])('accepts %j', (text) =>
    expect(isOneLine(text)).toBe(true),
  );

  it.each([
    '',
    ' ',
    '\u00a0',
    'a\n',
    '\ra',
    'a\tb',
    'a\0',
    'a\u007f',
    'a\u0085',
    'a\u2028',
    'a\u2029',
    'a\ud83d',
    7,
  ])('rejects %j', (text) => expect(isOneLine(text)).toBe(false));
});
