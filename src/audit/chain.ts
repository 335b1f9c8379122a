/**
 * What makes an audit log tamper-evident: each record is sealed by its hash, which the next record names, and checkpoints
 * are signed. Pure.
 */
import { hash as digest, sign, verify, type KeyObject } from 'node:crypto';
import { isJsonObject, type JsonObject, parseJsonObject } from '../lib/json.js';
import { canonicalJson, canonicalMembers, sortedNames } from '../lib/canonical-json.js';

export interface EncodedRecord {
  /** The record in its canonical spelling (RFC 8785), its hash among its members; without a line break. */
  readonly line: string;
  /** SHA-256 of the same without the member `hash`, in hexadecimal. */
  readonly hash: string;
}

/** Keeps a signature of an audit log from being one of anything else. */
const CONTEXT = 'identity-aware-mcp-server audit checkpoint v1\n';

/**
 * @param record without `hash`.
 * @param textOf the canonical JSON of a member, where it is known.
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

/** @param before the members before `hash`, as they stand in the line; `after`: those behind it. */
export function encoded(before: string, after: string): EncodedRecord {
  const hash = sha256(`{${before},${after}}`);
  return { line: `{${before},"hash":"${hash}",${after}}`, hash };
}

/**
 * The record that a line holds.
 * @returns undefined where the line is not, to the byte, what its hash was made of.
 */
export function decodeVerified(line: string): JsonObject | undefined {
  const record = parseJsonObject(line);
  const hash: unknown = record?.hash;
  if (!record || typeof hash !== 'string') return undefined;
  const member = `"hash":"${hash}",`;
  // A record may hold the same text elsewhere, but never before and after itself with the hash of both.
  for (let at = line.indexOf(member); at >= 0; at = line.indexOf(member, at + 1)) {
    if (sha256(line.slice(0, at) + line.slice(at + member.length)) === hash) return record;
  }
  return undefined;
}

/** Ed25519 over the whole record, the hash of all before it included, in base64url. @param record a checkpoint without `signature`. */
export function signCheckpoint(record: JsonObject, key: KeyObject): string {
  return sign(null, signedBytes(record), key).toString('base64url');
}

/** @param record a checkpoint as it stands in the audit log. */
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
