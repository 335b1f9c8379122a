/** Reads client certificates in the header formats of proxies and computes thumbprints. Pure. */
import { createHash, X509Certificate } from 'node:crypto';
import { AppError } from '../../core/app-error.js';
import type { ClientCertificateHeader } from '../../config/settings.js';

const MAX_HEADER_LENGTH = 16_384;

const READERS: Readonly<Record<ClientCertificateHeader['format'], (value: string) => string>> = {
  rfc9440: readByteSequence,
  pem: readPem,
  xfcc: readXfcc,
};

/** `x5t#S256` of RFC 8705 section 3.1. */
export function thumbprintOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('base64url');
}

/**
 * @param values all values of the header, from a trusted peer. Several values are rejected: one of them may come from
 * the client.
 * @returns the thumbprint; undefined for a missing or empty header.
 * @throws AppError `request_malformed` (400) unless the header holds exactly one certificate.
 */
export function certificateFromHeader(
  values: readonly string[],
  format: ClientCertificateHeader['format'],
): string | undefined {
  if (values.length > 1) throw malformed('More than one client certificate header');
  const value = values[0]?.trim() ?? '';
  if (value === '') return undefined;
  if (value.length > MAX_HEADER_LENGTH) throw malformed('The client certificate header is too long');
  return READERS[format](value);
}

/** RFC 9440 section 2.2: one Byte Sequence of RFC 8941, without parameters. */
function readByteSequence(value: string): string {
  const [, base64 = ''] = /^:([^:]*):$/.exec(value) ?? [];
  return readBase64(base64);
}

/**
 * URL-encoded PEM of nginx (`$ssl_client_escaped_cert`), AWS and Envoy; `+` is not a space. Traefik omits the PEM
 * armour.
 */
function readPem(value: string): string {
  const text = decodePercent(value);
  const [, armoured = text] =
    /^-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----\s*$/.exec(text) ?? [];
  return readBase64(armoured.replace(/\s/g, ''));
}

/**
 * Envoy's `x-forwarded-client-cert` with one element (SANITIZE_SET); further elements come from earlier senders and
 * are rejected. `Hash` is the SHA-256 of the DER form, in hex; `Cert`, if present, must match it.
 */
function readXfcc(value: string): string {
  const pairs = parseXfcc(value);
  const [hash, cert] = [pairs.get('hash'), pairs.get('cert')];
  if (hash !== undefined && !/^[\da-f]{64}$/i.test(hash)) throw unreadable();
  const told = hash === undefined ? undefined : Buffer.from(hash, 'hex').toString('base64url');
  const seen = cert === undefined ? undefined : readPem(cert);
  const thumbprint = seen ?? told;
  if (thumbprint === undefined) throw malformed('The client certificate header names no certificate');
  if (told !== undefined && told !== thumbprint)
    throw malformed('The client certificate header contradicts itself');
  return thumbprint;
}

/** `key=value;key="value"` with case-insensitive keys. `URI`, `DNS` and `By` may repeat; `Hash` and `Cert` may not. */
function parseXfcc(value: string): ReadonlyMap<string, string> {
  const pair = /([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))(;|,|$)/y;
  const pairs = new Map<string, string>();
  for (let separator: string | undefined = ';'; separator !== '';) {
    const [, key, quoted, plain, next] = pair.exec(value) ?? [];
    if (key === undefined) throw unreadable();
    if (next === ',') throw malformed('The client certificate header lists more than one certificate');
    const name = key.toLowerCase();
    if (pairs.has(name) && (name === 'hash' || name === 'cert')) throw unreadable();
    pairs.set(name, quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '');
    separator = next;
  }
  return pairs;
}

/** Rejects bytes after the certificate, so that one certificate has one thumbprint. */
function readBase64(base64: string): string {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw unreadable();
  const der = Buffer.from(base64, 'base64');
  try {
    if (new X509Certificate(der).raw.equals(der)) return thumbprintOf(der);
  } catch (error) {
    throw unreadable(error);
  }
  throw unreadable();
}

function decodePercent(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(cause?: unknown): AppError {
  return malformed('The client certificate header cannot be read', cause);
}

function malformed(message: string, cause?: unknown): AppError {
  return new AppError('request_malformed', message, { status: 400, cause });
}
