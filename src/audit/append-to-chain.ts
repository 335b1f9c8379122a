/** Appends records to a hash chain: returns the text to write and the new end of the chain. */
import { randomUUID } from 'node:crypto';
import { canonicalJson } from '../lib/canonical-json.js';
import type { JsonObject } from '../lib/json.js';
import { encodeWithHash, encoded, signCheckpoint, type EncodedRecord } from './chain.js';
import { checkpointRecord, type AuditRecord, type Checkpoint } from './record.js';
import type { SigningKey } from './signing-key.js';

/** Sequence number and hash of the last record; 0 and null for an empty chain. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string | null;
}

export interface EncodedBatch {
  /** Lines, each with its line break. */
  readonly text: string;
  readonly end: ChainHead;
}

/** Values shared by all records of one write. */
export interface Chain {
  /** Identity of the chain. */
  readonly instance: string;
  readonly key: SigningKey;
  /** RFC 3339, UTC, with milliseconds. */
  readonly time: string;
  /** Returns the cached canonical JSON of a fragment, if known. */
  readonly textOf?: (part: object) => string | undefined;
}

/** Members that the audit log adds to a record. */
type Head = Readonly<Record<'v' | 'seq' | 'time' | 'instance' | 'prev', unknown>>;

/** Number of members every record has, without those of the head. */
const ALWAYS = 15;

/** A checkpoint signature covers the whole checkpoint and, through `prev`, all records before it. */
export function appendToChain(
  records: readonly (AuditRecord | Checkpoint)[],
  from: ChainHead,
  { instance, key, time, textOf }: Chain,
): EncodedBatch {
  let { seq, hash } = from;
  let text = '';
  for (const one of records) {
    seq += 1;
    const head = { v: 1, seq, time, instance, prev: hash };
    const { line, hash: own } =
      'kind' in one
        ? encodeWithHash(signed({ ...head, ...checkpointRecord(one, randomUUID()) }, key))
        : placed(one, head, textOf);
    hash = own;
    text += `${line}\n`;
  }
  return { text, end: { seq, hash } };
}

/** Same output as {@link encodeWithHash} for a record with known members, without copying or sorting them. */
function placed(record: AuditRecord, head: Head, textOf: Chain['textOf']): EncodedRecord {
  let optional = 0;
  const text = (value: unknown): string => {
    // A missing required member: NaN forces the fallback to `encodeWithHash`.
    if (value === undefined) optional = Number.NaN;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    return textOf?.(value) ?? canonicalJson(value);
  };
  const perhaps = (name: string, value: unknown): string => {
    if (value === undefined) return '';
    optional += 1;
    return `"${name}":${text(value)},`;
  };
  const before =
    perhaps('arguments', record.arguments) +
    `"arguments_sha256":${text(record.arguments_sha256)},` +
    perhaps('change', record.change) +
    perhaps('checkpoint', record.checkpoint) +
    `"decision":${text(record.decision)},"decision_id":${text(record.decision_id)},` +
    `"delegation":${text(record.delegation)},` +
    perhaps('delegation_omitted', record.delegation_omitted) +
    `"event":${text(record.event)}`;
  const behind =
    `"id":${text(record.id)},"instance":${text(head.instance)},` +
    perhaps('list', record.list) +
    `"missing":${text(record.missing)},"on_behalf_of":${text(record.on_behalf_of)},` +
    `"outcome":${text(record.outcome)},` +
    perhaps('policy', record.policy) +
    `"prev":${text(head.prev)},"principal":${text(record.principal)},"reason":${text(record.reason)},` +
    `"request":${text(record.request)},"required":${text(record.required)},"rule":${text(record.rule)},` +
    `"seq":${text(head.seq)},` +
    perhaps('shadow', record.shadow) +
    `"time":${text(head.time)},"tool":${text(record.tool)},"v":${text(head.v)}`;
  const all = Object.values(record).filter((value) => value !== undefined).length;
  return all === ALWAYS + optional ? encoded(before, behind) : encodeWithHash({ ...head, ...record }, textOf);
}

function signed(record: JsonObject, { privateKey }: SigningKey): JsonObject {
  const signature = signCheckpoint(record, privateKey);
  return { ...record, checkpoint: { ...(record.checkpoint as Checkpoint), signature } };
}
