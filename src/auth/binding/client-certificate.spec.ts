import fc from 'fast-check';
import { X509Certificate } from 'node:crypto';
import { generate } from 'selfsigned';
import { AppError } from '../../core/app-error.js';
import type { ClientCertificateHeader } from '../../config/settings.js';
import { certificateFromHeader, thumbprintOf } from './client-certificate.js';

type Format = ClientCertificateHeader['format'];
const FORMATS: readonly Format[] = ['rfc9440', 'pem', 'xfcc'];

/** RFC 8705 appendix A, figures 5 and 6. */
const RFC8705 = {
  base64: [
    'MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwE',
    'bXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGG',
    'WvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUa',
    'KlLR50Q2DmFfQj1L+SY=',
  ].join(''),
  thumbprint: 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0',
};

/** RFC 9440 appendix A, figure 2, as a header value. */
const RFC9440_HEADER = [
  ':MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBD',
  'QTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU',
  '/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38l',
  'bEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqG',
  'SM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:',
].join('');

interface Told {
  readonly pem: string;
  readonly der: Buffer;
  readonly base64: string;
  /** SHA-256 of the certificate by Node.js, in hex. */
  readonly hash: string;
  readonly thumbprint: string;
}

let client: Told;
let other: Told;

function told(pem: string): Told {
  const { raw, fingerprint256 } = new X509Certificate(pem);
  const hash = fingerprint256.replaceAll(':', '').toLowerCase();
  return {
    pem,
    der: raw,
    base64: raw.toString('base64'),
    hash,
    thumbprint: Buffer.from(hash, 'hex').toString('base64url'),
  };
}

beforeAll(async () => {
  const make = async (name: string) =>
    told((await generate([{ name: 'commonName', value: name }], { keyType: 'ec' })).cert);
  [client, other] = await Promise.all([make('client'), make('other')]);
});

/** The thumbprint, undefined, or the public text of an AppError. Other errors fail the test. */
function outcome(values: readonly string[], format: Format): string | undefined {
  try {
    return certificateFromHeader(values, format);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error).toMatchObject({ code: 'request_malformed', status: 400, challenge: undefined });
    return error.message;
  }
}

/** Percent-encoding of nginx and Envoy: everything except letters, digits and `-._~`. */
const escape = (text: string) => encodeURIComponent(text);

it('thumbprintOf returns the thumbprint of RFC 8705 appendix A', () => {
  expect(thumbprintOf(Buffer.from(RFC8705.base64, 'base64'))).toBe(RFC8705.thumbprint);
  expect(outcome([`:${RFC8705.base64}:`], 'rfc9440')).toBe(RFC8705.thumbprint);
});

it('certificateFromHeader reads the header of RFC 9440 appendix A', () => {
  const { fingerprint256 } = new X509Certificate(Buffer.from(RFC9440_HEADER.slice(1, -1), 'base64'));
  const expected = Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
  expect(outcome([RFC9440_HEADER], 'rfc9440')).toBe(expected);
});

describe.each(FORMATS)('certificateFromHeader, format %s', (format) => {
  it('returns undefined without a certificate', () => {
    expect(outcome([], format)).toBeUndefined();
    expect(outcome([''], format)).toBeUndefined();
    expect(outcome([' '], format)).toBeUndefined();
  });

  it('rejects two headers, also equal ones', () => {
    expect(outcome([RFC9440_HEADER, RFC9440_HEADER], format)).toContain('More than one');
    expect(outcome(['', ''], format)).toContain('More than one');
  });

  it('rejects 16385 characters and reads all shorter values in linear time', () => {
    expect(outcome(['a'.repeat(16_385)], format)).toContain('too long');
    const start = Date.now();
    for (const [first, filler] of [
      ['-----BEGIN CERTIFICATE-----', ' '],
      [':', 'A'],
      ['Cert="', '\\"'],
      ['Hash=', '='],
      ['', 'a=;'],
    ] as const) {
      const text = (first + filler.repeat(16_384)).slice(0, 16_384);
      expect(outcome([text], format)).toMatch(/header/);
    }
    expect(Date.now() - start).toBeLessThan(1000);
  });

  it('throws only AppError for random values', () => {
    const pieces = fc.constantFrom(
      ':',
      ';',
      ',',
      '=',
      '"',
      '\\',
      '%0A',
      '%zz',
      '-----BEGIN CERTIFICATE-----',
      '-----END CERTIFICATE-----',
      'Hash=',
      'Cert=',
      RFC8705.base64,
      'a'.repeat(64),
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(fc.oneof(pieces, fc.string({ maxLength: 3 })), { maxLength: 8 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(fc.array(text, { maxLength: 2 }), (values) => {
        outcome(values, format);
      }),
      { numRuns: 2000 },
    );
  });
});

const UNREADABLE = 'cannot be read';

it.each<[string, Format, (one: Told, two: Told) => string, string]>([
  ['the certificate', 'rfc9440', ({ base64 }) => `:${base64}:`, ''],
  ['spaces around', 'rfc9440', ({ base64 }) => ` :${base64}: `, ''],
  ['no colons', 'rfc9440', ({ base64 }) => base64, UNREADABLE],
  ['nothing between the colons', 'rfc9440', () => '::', UNREADABLE],
  ['a list', 'rfc9440', ({ base64 }, two) => `:${base64}:, :${two.base64}:`, UNREADABLE],
  ['a parameter', 'rfc9440', ({ base64 }) => `:${base64}:;a=1`, UNREADABLE],
  ['a space inside', 'rfc9440', ({ base64 }) => `:${base64.slice(0, 8)} ${base64.slice(8)}:`, UNREADABLE],
  [
    'base64url',
    'rfc9440',
    ({ der }) => `:${Buffer.concat([der, Buffer.of(0xff, 0xff, 0xff)]).toString('base64url')}:`,
    UNREADABLE,
  ],
  [
    'a byte behind',
    'rfc9440',
    ({ der }) => `:${Buffer.concat([der, Buffer.alloc(1)]).toString('base64')}:`,
    UNREADABLE,
  ],
  ['a byte missing', 'rfc9440', ({ der }) => `:${der.subarray(0, -1).toString('base64')}:`, UNREADABLE],
  [
    'two certificates in one',
    'rfc9440',
    ({ der }, two) => `:${Buffer.concat([der, two.der]).toString('base64')}:`,
    UNREADABLE,
  ],
  ['PEM inside', 'rfc9440', ({ pem }) => `:${Buffer.from(pem).toString('base64')}:`, UNREADABLE],
  ['no certificate', 'rfc9440', () => `:${Buffer.from('hello').toString('base64')}:`, UNREADABLE],

  ['as nginx writes it', 'pem', ({ pem }) => escape(pem), ''],
  ['as AWS writes it', 'pem', ({ pem }) => encodeURI(pem), ''],
  ['without a line end behind', 'pem', ({ pem }) => escape(pem.trimEnd()), ''],
  ['with CR LF', 'pem', ({ pem }) => escape(pem.trimEnd().replace(/\r?\n/g, '\r\n')), ''],
  ['as Traefik 3 writes it', 'pem', ({ base64 }) => base64, ''],
  ['as Traefik 2 writes it', 'pem', ({ base64 }) => escape(base64), ''],
  ['as Traefik writes a chain', 'pem', ({ base64 }, two) => `${base64},${two.base64}`, UNREADABLE],
  ['spaces as plus', 'pem', ({ pem }) => escape(pem).replaceAll('%20', '+'), UNREADABLE],
  ['two certificates', 'pem', ({ pem }, two) => escape(pem + two.pem), UNREADABLE],
  ['text before', 'pem', ({ pem }) => escape(`subject=CN\n${pem}`), UNREADABLE],
  ['text behind', 'pem', ({ pem }) => escape(`${pem}more`), UNREADABLE],
  ['a key', 'pem', ({ pem }) => escape(pem.replaceAll('CERTIFICATE', 'PRIVATE KEY')), UNREADABLE],
  ['a broken escape', 'pem', ({ pem }) => `${escape(pem)}%zz`, UNREADABLE],
  ['escapes that are not UTF-8', 'pem', ({ pem }) => `${escape(pem)}%ff`, UNREADABLE],
  ['what Apache says for none', 'pem', () => '(null)', UNREADABLE],
  [
    'a byte behind, in PEM',
    'pem',
    ({ der }) => Buffer.concat([der, Buffer.alloc(1)]).toString('base64'),
    UNREADABLE,
  ],

  ['a hash', 'xfcc', ({ hash }) => `Hash=${hash}`, ''],
  ['a hash in upper case', 'xfcc', ({ hash }) => `hash=${hash.toUpperCase()}`, ''],
  ['a hash in quotes', 'xfcc', ({ hash }) => `Hash="${hash}"`, ''],
  ['a certificate', 'xfcc', ({ pem }) => `Cert="${escape(pem)}"`, ''],
  [
    'all that Envoy says',
    'xfcc',
    ({ hash, pem }) =>
      `By=spiffe://a/ns/b;By=http://b;Hash=${hash};Cert="${escape(pem)}";Chain="${escape(pem + pem)}";Subject="CN=\\"x, y\\";O=z\\\\";URI=;URI=spiffe://c;DNS=d.example;DNS=e.example`,
    '',
  ],
  ['two elements', 'xfcc', ({ hash }, two) => `Hash=${hash},Hash=${two.hash}`, 'more than one'],
  ['two elements alike', 'xfcc', ({ hash }) => `Hash=${hash},Hash=${hash}`, 'more than one'],
  ['an empty second element', 'xfcc', ({ hash }) => `Hash=${hash},`, 'more than one'],
  ['an empty first element', 'xfcc', ({ hash }) => `,Hash=${hash}`, UNREADABLE],
  [
    'a second element in an open quote',
    'xfcc',
    ({ hash }, two) => `Subject="CN=x,Hash=${two.hash};Hash=${hash}`,
    UNREADABLE,
  ],
  ['a hash inside quotes only', 'xfcc', ({ hash }) => `Subject="a;Hash=${hash}"`, 'names no certificate'],
  ['no hash', 'xfcc', () => 'By=spiffe://a;URI=spiffe://b', 'names no certificate'],
  ['two hashes', 'xfcc', ({ hash }, two) => `Hash=${hash};Hash=${two.hash}`, UNREADABLE],
  [
    'two certificates by name',
    'xfcc',
    ({ pem }, two) => `Cert="${escape(pem)}";cert="${escape(two.pem)}"`,
    UNREADABLE,
  ],
  [
    'a hash of another certificate',
    'xfcc',
    ({ pem }, two) => `Hash=${two.hash};Cert="${escape(pem)}"`,
    'contradicts itself',
  ],
  ['a hash that is too short', 'xfcc', ({ hash }) => `Hash=${hash.slice(2)}`, UNREADABLE],
  ['a hash in base64', 'xfcc', ({ thumbprint }) => `Hash=${thumbprint}`, UNREADABLE],
  ['an empty hash', 'xfcc', ({ pem }) => `Hash=;Cert="${escape(pem)}"`, UNREADABLE],
  ['an empty certificate', 'xfcc', ({ hash }) => `Hash=${hash};Cert=""`, UNREADABLE],
  ['a certificate that is none', 'xfcc', ({ hash }) => `Hash=${hash};Cert="hello"`, UNREADABLE],
  ['a semicolon behind', 'xfcc', ({ hash }) => `Hash=${hash};`, UNREADABLE],
  ['text behind a quote', 'xfcc', ({ hash }) => `Hash="${hash}"x`, UNREADABLE],
  ['no key', 'xfcc', ({ hash }) => hash, UNREADABLE],
])('%s (%s)', (_, format, write, says) => {
  const result = outcome([write(client, other)], format);
  if (says === '') expect(result).toBe(client.thumbprint);
  else expect(result).toContain(says);
});

it('returns the thumbprint of Node.js in every format', () => {
  expect(thumbprintOf(client.der)).toBe(client.thumbprint);
  expect(client.thumbprint).not.toBe(other.thumbprint);
});
