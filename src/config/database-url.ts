/**
 * TLS parameters of PostgreSQL with the meanings of libpq ("SSL Support", `sslmode`). By default the driver treats
 * `require` and `verify-ca` as `verify-full`.
 */
import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { isLoopbackHost } from './rules.js';
import type { ReadFile } from './yaml-file.js';

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];
const FILES = ['sslrootcert', 'sslcert', 'sslkey'] as const;
/** Security parameters that the driver would ignore. */
const UNSUPPORTED = [
  'requiressl',
  'sslcrl',
  'sslcrldir',
  'sslpassword',
  'ssl_min_protocol_version',
  'ssl_max_protocol_version',
];
const OWN = ['sslmode', 'ssl', 'uselibpqcompat', ...FILES, ...UNSUPPORTED];
/** libpq falls back to an unencrypted connection; the driver cannot. */
const OPPORTUNISTIC = ['allow', 'prefer'];
/** libpq: the CA certificates of the system, only with `verify-full`. */
const SYSTEM_AUTHORITIES = 'system';

/**
 * URL for the driver, with the meanings of libpq. `allow` and `prefer` become `require`: an unencrypted connection
 * fails. A URL without TLS parameters is unchanged.
 * @param url a URL without faults in {@link databaseUrlFaults}.
 */
export function libpqUrl(url: string): string {
  const [address, query] = split(url);
  const given = query.flatMap(nameOf);
  if (!given.some((name) => OWN.includes(name))) return url;
  const { sslmode: mode = 'verify-full', ...files } = parametersOf(url);
  const kept = query.filter((part) => !nameOf(part).some((name) => OWN.includes(name)));
  const own = new URLSearchParams({
    sslmode: OPPORTUNISTIC.includes(mode) ? 'require' : mode,
    uselibpqcompat: 'true',
  });
  for (const name of FILES) {
    const path = files[name];
    if (path !== undefined && mode !== 'disable' && path !== SYSTEM_AUTHORITIES) own.set(name, path);
  }
  return `${address}?${[...kept, own.toString()].join('&')}`;
}

/** Faults of the TLS parameters, without the URL and the content of files. */
export function databaseUrlFaults(url: string, read: ReadFile): string[] {
  if (url.includes('#')) return ['contains a #, which would end the URL: write it as %23'];
  const names = split(url)[1].flatMap(nameOf);
  const given = parametersOf(url);
  const { sslmode: mode, ssl, sslrootcert: authorities } = given;
  const faults = OWN.filter((name) => names.filter((one) => one === name).length > 1).map(
    (name) => `sets ${name} twice`,
  );
  const unsupported = UNSUPPORTED.filter((name) => names.includes(name));
  faults.push(...unsupported.map((name) => `sets ${name}, which is not supported: leave it out`));
  if (mode !== undefined && !SSL_MODES.includes(mode)) {
    faults.push(`sslmode must be one of ${SSL_MODES.join(', ')}`);
  }
  if (ssl !== undefined && (mode !== undefined || !['true', '1'].includes(ssl))) {
    faults.push('ssl is not a parameter of libpq: use sslmode');
  }
  if (given.uselibpqcompat !== undefined && given.uselibpqcompat !== 'true') {
    faults.push('uselibpqcompat must be true or absent: sslmode has the meaning of libpq');
  }
  if ((given.sslcert === undefined) !== (given.sslkey === undefined)) {
    faults.push('sslcert and sslkey require each other');
  }
  if (authorities === SYSTEM_AUTHORITIES && mode !== 'verify-full') {
    faults.push('sslrootcert=system needs sslmode=verify-full');
  }
  if (mode === 'verify-ca' && authorities === undefined) {
    faults.push('sslmode=verify-ca needs sslrootcert, the file of the authority');
  }
  return [...faults, ...fileFaults(given, read)];
}

function fileFaults(given: Partial<Record<string, string>>, read: ReadFile): string[] {
  return FILES.flatMap((name) => {
    const path = given[name];
    if (path === undefined || path === SYSTEM_AUTHORITIES) return [];
    try {
      const text = read(resolve(path));
      // An empty CA file would mean the CA certificates of the system.
      if (name !== 'sslkey') new X509Certificate(text);
      return [];
    } catch (error) {
      const { code = 'unknown error', syscall } = error as NodeJS.ErrnoException;
      const isRead = syscall !== undefined || code === 'ENOENT';
      return [
        isRead ? `${name}: the file cannot be read (${code})` : `${name}: the file holds no certificate`,
      ];
    }
  });
}

/**
 * Missing verification of a set `sslmode`, for the start log. Undefined for `verify-full`, without `sslmode`, and for
 * `disable` on loopback.
 */
export function databaseRelaxation(url: string): string | undefined {
  const { sslmode: mode, sslrootcert: authorities, host } = parametersOf(url);
  const named = host ?? (URL.canParse(url) ? new URL(url).hostname : '');
  const isLocal = isLoopbackHost(named) || /^(\/|%2f|$)/i.test(named);
  if (mode === 'disable') {
    return isLocal ? undefined : 'the connection to PostgreSQL is not encrypted: set sslmode=verify-full';
  }
  if (mode === 'verify-ca' || (mode === 'require' && authorities !== undefined)) {
    return `sslmode=${mode}: the name in the certificate of PostgreSQL is not checked`;
  }
  if (mode === 'require') {
    return 'sslmode=require: encrypted, with any certificate: set sslmode=verify-full to detect an intermediary';
  }
  if (mode === undefined || !OPPORTUNISTIC.includes(mode)) return undefined;
  return `sslmode=${mode} is taken as require: encrypted or not connected, ${authorities === undefined ? 'with any certificate' : 'and the name in the certificate is not checked'}`;
}

/** True if the URL has `sslmode`. Otherwise the driver would read `PGSSLMODE`. */
export function namesSslMode(url: string): boolean {
  const { sslmode, ssl, sslrootcert } = parametersOf(url);
  return (sslmode ?? ssl ?? sslrootcert) !== undefined;
}

function split(url: string): [address: string, query: readonly string[]] {
  const at = url.indexOf('?');
  return at < 0 ? [url, []] : [url.slice(0, at), url.slice(at + 1).split('&')];
}

function nameOf(part: string): string[] {
  return [...new URLSearchParams(part).keys()];
}

function parametersOf(url: string): Partial<Record<string, string>> {
  return Object.fromEntries(new URLSearchParams(split(url)[1].join('&')));
}
