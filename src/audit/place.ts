/** Gives records their places behind the end of a chain: the text of what is to be written, and where the chain ends then. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../common/exchange.js';
import { seal, signCheckpoint } from './chain.js';
import { checkpointRecord, type AuditRecord, type Checkpoint } from './record.js';
import type { SigningKey } from './signing-key.js';

/** Where a chain ends: the number and the hash of its last record; 0 and null where it has none. */
export interface End {
  readonly seq: number;
  readonly hash: string | null;
}

export interface Placed {
  /** Lines, each with its break. */
  readonly text: string;
  readonly end: End;
}

/** What is the same for every record of one write. */
export interface Chain {
  /** The identity of the chain. */
  readonly instance: string;
  readonly key: SigningKey;
  /** RFC 3339, in UTC, with milliseconds. */
  readonly time: string;
}

/** A checkpoint is signed over all of itself, and so over the hash of all that is before it. */
export function place(
  records: readonly (AuditRecord | Checkpoint)[],
  from: End,
  { instance, key, time }: Chain,
): Placed {
  let { seq, hash } = from;
  const lines = records.map((one) => {
    seq += 1;
    const head = { v: 1, seq, time, instance, prev: hash };
    const sealed = seal(
      'kind' in one ? signed({ ...head, ...checkpointRecord(one, randomUUID()) }, key) : { ...head, ...one },
    );
    hash = sealed.hash;
    return `${sealed.line}\n`;
  });
  return { text: lines.join(''), end: { seq, hash } };
}

function signed(record: JsonObject, { privateKey }: SigningKey): JsonObject {
  const signature = signCheckpoint(record, privateKey);
  return { ...record, checkpoint: { ...(record.checkpoint as Checkpoint), signature } };
}
