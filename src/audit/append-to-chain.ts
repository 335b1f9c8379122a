/** Gives records their places behind the end of a chain: the text of what is to be written, and where the chain ends then. */
import { randomUUID } from 'node:crypto';
import { canonicalJson } from '../lib/canonical-json.js';
import type { JsonObject } from '../lib/json.js';
import { encodeWithHash, encoded, signCheckpoint, type EncodedRecord } from './chain.js';
import { checkpointRecord, type AuditRecord, type Checkpoint } from './record.js';
import type { SigningKey } from './signing-key.js';

/** Where a chain ends: the number and the hash of its last record; 0 and null where it has none. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string | null;
}

export interface EncodedBatch {
  /** Lines, each with its break. */
  readonly text: string;
  readonly end: ChainHead;
}

/** What is the same for every record of one write. */
export interface Chain {
  /** The identity of the chain. */
  readonly instance: string;
  readonly key: SigningKey;
  /** RFC 3339, in UTC, with milliseconds. */
  readonly time: string;
  /** The canonical JSON of what many records have in common. */
  readonly textOf?: (part: object) => string | undefined;
}

/** What the audit log gives a record. */
type Head = Readonly<Record<'v' | 'seq' | 'time' | 'instance' | 'prev', unknown>>;

/** Members that every record has, beside those of the head. */
const ALWAYS = 15;

/** A checkpoint is signed over all of itself, and so over the hash of all that is before it. */
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

/** As {@link encodeWithHash} does it, for a record whose members are known: nothing has to be copied, sorted or looked for. */
function placed(record: AuditRecord, head: Head, textOf: Chain['textOf']): EncodedRecord {
  let optional = 0;
  const text = (value: unknown): string => {
    // One that is missing: then it is none of those that are written here.
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
