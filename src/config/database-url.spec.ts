import { generate } from 'selfsigned';
import { databaseRelaxation, databaseUrlFaults, libpqUrl, namesSslMode } from './database-url.js';

const BASE = 'postgres://gate:s3cret@db.example.com/gate';
const CA = 'sslrootcert=/ca.pem';
let certificate: string;

beforeAll(async () => {
  certificate = (await generate([{ name: 'commonName', value: 'CA' }])).cert;
});

const read = (path: string): string => {
  if (path.endsWith('ca.pem') || path.endsWith('client.pem')) return certificate;
  if (path.endsWith('client.key')) return 'key';
  if (path.endsWith('empty.pem')) return '';
  throw Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'open' });
};

describe('databaseUrlFaults', () => {
  it.each([
    '',
    '?sslmode=disable',
    '?sslmode=require',
    '?sslmode=prefer',
    `?sslmode=verify-ca&${CA}`,
    '?sslmode=verify-full&sslrootcert=system',
    '?sslmode=require&channel_binding=require&uselibpqcompat=true',
    '?sslmode=verify-full&sslcert=/client.pem&sslkey=/client.key',
    '?ssl=true',
  ])('accepts %j', (query) => {
    expect(databaseUrlFaults(BASE + query, read)).toEqual([]);
  });

  it.each([
    ['?sslmode=no-verify', 'sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full'],
    ['?sslmode=REQUIRE', 'sslmode must be one of'],
    ['?sslmode=', 'sslmode must be one of'],
    ['?sslmode=verify-full&sslmode=disable', 'sets sslmode twice'],
    ['?sslmode=verify-full&ssl%6Dode=disable', 'sets sslmode twice'],
    ['?ssl=no-verify', 'ssl is not a parameter of libpq'],
    ['?ssl=true&sslmode=verify-full', 'ssl is not a parameter of libpq'],
    ['?uselibpqcompat=false&sslmode=require', 'uselibpqcompat must be true or absent'],
    ['?sslmode=verify-ca', 'sslmode=verify-ca needs sslrootcert'],
    ['?sslmode=require&sslrootcert=system', 'sslrootcert=system needs sslmode=verify-full'],
    ['?sslmode=require&sslcert=/client.pem', 'sslcert and sslkey require each other'],
    ['?sslmode=verify-full&sslrootcert=/none.pem', 'sslrootcert: the file cannot be read (ENOENT)'],
    ['?sslmode=require&sslrootcert=/empty.pem', 'sslrootcert: the file holds no certificate'],
    ['?sslmode=verify-full&sslcrl=/x', 'sets sslcrl, which is not supported'],
    ['#x?sslmode=verify-full', 'contains a #'],
  ])('rejects %j', (query, fault) => {
    const faults = databaseUrlFaults(BASE + query, read);
    expect(faults).toContainEqual(expect.stringContaining(fault));
    expect(faults.join()).not.toContain('s3cret');
  });
});

describe('databaseRelaxation', () => {
  it.each([
    ['?sslmode=disable', 'is not encrypted'],
    ['?sslmode=allow', 'sslmode=allow is taken as require: encrypted or not connected, with any certificate'],
    [`?sslmode=prefer&${CA}`, 'and the name in the certificate is not checked'],
    ['?sslmode=require', 'sslmode=require: encrypted, with any certificate'],
    [`?sslmode=require&${CA}`, 'the name in the certificate of PostgreSQL is not checked'],
    [`?sslmode=verify-ca&${CA}`, 'the name in the certificate of PostgreSQL is not checked'],
  ])('describes %j', (query, says) => {
    expect(databaseRelaxation(BASE + query)).toContain(says);
  });

  it.each(['', '?sslmode=verify-full', '?ssl=true', `?${CA}`])('describes no relaxation for %j', (query) => {
    expect(databaseRelaxation(BASE + query)).toBeUndefined();
  });

  it.each([
    'postgres://gate@127.0.0.1/gate',
    'postgres://gate@localhost/gate?sslmode=disable',
    'postgres:///gate?host=/run/postgresql',
    'postgres://%2Frun%2Fpostgresql/gate',
  ])('describes no relaxation for a database on the same machine: %s', (url) => {
    expect(databaseRelaxation(url)).toBeUndefined();
  });
});

describe('libpqUrl', () => {
  it('does not change a URL without TLS parameters', () => {
    for (const url of [BASE, `${BASE}?options=-c%20a%3Db`, 'postgres://a@/b?host=/run']) {
      expect(libpqUrl(url)).toBe(url);
      expect(namesSslMode(url)).toBe(false);
    }
  });

  it('keeps the other parameters unchanged', () => {
    expect(libpqUrl(`${BASE}?options=-c%20a%3Db&sslmode=verify-full&x=%2B`)).toBe(
      `${BASE}?options=-c%20a%3Db&x=%2B&sslmode=verify-full&uselibpqcompat=true`,
    );
  });
});
