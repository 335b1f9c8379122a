/** Gives records their places behind the end of a chain: the text of what is to be written, and where the chain ends then. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../common/exchange.js';
import { canonicalJson } from './canonical-json.js';
import { seal, sealed, signCheckpoint, type Sealed } from './chain.js';
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
  /** The canonical JSON of what many records have in common. */
  readonly textOf?: (part: object) => string | undefined;
}

/** What the ledger gives a record. */
type Head = Readonly<Record<'v' | 'seq' | 'time' | 'instance' | 'prev', unknown>>;

/** Every member that a record may have, in canonical order; `hash` stands between the two lists. */
const BEFORE_HASH = namesOf<Exclude<keyof AuditRecord, BehindHash>>({
  arguments: 0,
  arguments_sha256: 0,
  change: 0,
  checkpoint: 0,
  decision: 0,
  decision_id: 0,
  delegation: 0,
  delegation_omitted: 0,
  event: 0,
});
const BEHIND_HASH = namesOf<BehindHash | keyof Head>({
  id: 0,
  instance: 0,
  list: 0,
  missing: 0,
  on_behalf_of: 0,
  outcome: 0,
  policy: 0,
  prev: 0,
  principal: 0,
  reason: 0,
  request: 0,
  required: 0,
  rule: 0,
  seq: 0,
  shadow: 0,
  time: 0,
  tool: 0,
  v: 0,
});
type BehindHash =
  | 'id'
  | 'list'
  | 'missing'
  | 'on_behalf_of'
  | 'outcome'
  | 'policy'
  | 'principal'
  | 'reason'
  | 'request'
  | 'required'
  | 'rule'
  | 'shadow'
  | 'tool';

/** A checkpoint is signed over all of itself, and so over the hash of all that is before it. */
export function place(
  records: readonly (AuditRecord | Checkpoint)[],
  from: End,
  { instance, key, time, textOf }: Chain,
): Placed {
  let { seq, hash } = from;
  let text = '';
  for (const one of records) {
    seq += 1;
    const head = { v: 1, seq, time, instance, prev: hash };
    const { line, hash: own } =
      'kind' in one
        ? seal(signed({ ...head, ...checkpointRecord(one, randomUUID()) }, key))
        : placed(one, head, textOf);
    hash = own;
    text += `${line}\n`;
  }
  return { text, end: { seq, hash } };
}

/** As {@link seal} does it, for a record whose members are known: nothing has to be copied or sorted. */
function placed(record: AuditRecord, head: Head, textOf: Chain['textOf']): Sealed {
  let written = 0;
  const membersOf = (names: readonly string[]): string => {
    let text = '';
    for (const name of names) {
      const isOfHead = name in head;
      const value = isOfHead ? head[name as keyof Head] : record[name as keyof AuditRecord];
      if (value === undefined) continue;
      if (!isOfHead) written += 1;
      const known = typeof value === 'object' && value !== null ? textOf?.(value) : undefined;
      text += `${text === '' ? '' : ','}"${name}":${known ?? canonicalJson(value)}`;
    }
    return text;
  };
  const made = sealed(membersOf(BEFORE_HASH), membersOf(BEHIND_HASH));
  const all = Object.values(record).filter((value) => value !== undefined).length;
  return written === all ? made : seal({ ...head, ...record }, textOf);
}

function namesOf<Name extends string>(names: Readonly<Record<Name, 0>>): readonly string[] {
  return Object.keys(names);
}

function signed(record: JsonObject, { privateKey }: SigningKey): JsonObject {
  const signature = signCheckpoint(record, privateKey);
  return { ...record, checkpoint: { ...(record.checkpoint as Checkpoint), signature } };
}
