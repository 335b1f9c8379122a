/**
 * Tamper evidence: each record carries its hash, the next record names that hash, and checkpoints are
 * signed.
 */
import { hash as digest, sign, verify, type KeyObject } from 'node:crypto';
import { isJsonObject, type JsonObject, parseJsonObject } from '../lib/json.js';
import { canonicalJson, canonicalMembers, sortedNames } from '../lib/canonical-json.js';

export interface EncodedRecord {
  /** The record in canonical JSON (RFC 8785) with its hash as a member, without a line break. */
  readonly line: string;
  /** SHA-256 of the record without `hash`, in hexadecimal. */
  readonly hash: string;
}

/** Domain separation: prevents use of the signature for any other purpose. */
const CONTEXT = 'identity-aware-mcp-server audit checkpoint v1\n';

/**
 * @param record without `hash`.
 * @param textOf returns the cached canonical JSON of a member, if known.
 */
export function encodeWithHash(
  record: JsonObject,
  textOf?: (part: object) => string | undefined,
): EncodedRecord {
  const names = sortedNames(record);
  const at = names.findIndex((name) => name > 'hash');
  return encoded(
    canonicalMembers(record, names.slice(0, at), textOf),
    canonicalMembers(record, names.slice(at), textOf),
  );
}

/** @param before text of the members that sort before `hash`; `after`: text of those that sort after it. */
export function encoded(before: string, after: string): EncodedRecord {
  const hash = sha256(`{${before},${after}}`);
  return { line: `{${before},"hash":"${hash}",${after}}`, hash };
}

/**
 * Decodes the record of a line.
 * @returns undefined unless the line matches its hash byte for byte.
 */
export function decodeVerified(line: string): JsonObject | undefined {
  const record = parseJsonObject(line);
  const hash: unknown = record?.hash;
  if (!record || typeof hash !== 'string') return undefined;
  const member = `"hash":"${hash}",`;
  // A record may contain the same text elsewhere, but only the real position yields the hash.
  for (let at = line.indexOf(member); at >= 0; at = line.indexOf(member, at + 1)) {
    if (sha256(line.slice(0, at) + line.slice(at + member.length)) === hash) return record;
  }
  return undefined;
}

/**
 * Ed25519 over the whole record including `prev`, in base64url. @param record a checkpoint without
 * `signature`.
 */
export function signCheckpoint(record: JsonObject, key: KeyObject): string {
  return sign(null, signedBytes(record), key).toString('base64url');
}

/** @param record a checkpoint as stored in the audit log. */
export function isSignedBy(record: JsonObject, key: KeyObject): boolean {
  const { hash: _hash, checkpoint, ...rest } = record;
  if (!isJsonObject(checkpoint)) return false;
  const { signature, ...signed } = checkpoint;
  if (typeof signature !== 'string') return false;
  const bytes = Buffer.from(signature, 'base64url');
  return verify(null, signedBytes({ ...rest, checkpoint: signed }), key, bytes);
}

function signedBytes(record: JsonObject): Buffer {
  return Buffer.from(CONTEXT + canonicalJson(record), 'utf8');
}

function sha256(text: string): string {
  return digest('sha256', text, 'hex');
}
