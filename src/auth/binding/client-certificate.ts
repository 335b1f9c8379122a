/** The certificate of a client, by its thumbprint, and how a proxy in front tells it. Pure. */
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
 * @param values every value of the header, as received from a peer that is believed. Two of them, or a list in one,
 *   would be one of the proxy and one that it let pass: neither is taken.
 * @returns the thumbprint; undefined where the proxy names no certificate, by no header or by an empty one.
 * @throws AppError `request_malformed` (400) where the header is anything else than one certificate.
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
 * URL-encoded PEM, as nginx (`$ssl_client_escaped_cert`), AWS and Envoy write it; `+` is itself, never a space. Without its
 * armour it is what Traefik writes, and cannot be anything else.
 */
function readPem(value: string): string {
  const text = decodePercent(value);
  const [, armoured = text] =
    /^-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----\s*$/.exec(text) ?? [];
  return readBase64(armoured.replace(/\s/g, ''));
}

/**
 * Envoy's `x-forwarded-client-cert`. One element is what the proxy itself saw (SANITIZE_SET); where there are more, it
 * hands on what others said. `Hash` is of the DER form, in hex; where `Cert` is there too, it must agree.
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

/** `key=value;key="value"`, the keys in any case; `URI`, `DNS` and `By` may come again, what is read here must not. */
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

/** A certificate from its first byte to its last, so that one certificate has one thumbprint. */
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
