/** Verifies an audit log in one pass and names the first misplaced record. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { isSignedBy, decodeVerified } from '../../audit/chain.js';
import { endOfText, readLines, type Line } from '../../audit/lines.js';
import type { Change, Checkpoint } from '../../audit/record.js';
import { isTornRecord } from '../../audit/recover.js';
import { publicJwk } from '../../audit/signing-key.js';
import { type JsonObject, parseJsonObject } from '../../lib/json.js';
import type { Fault, FaultKind, Trust, Verdict } from './verdict.js';

/** Maximum interval of signatures; one batch may exceed it. */
const UNSIGNED_AT_MOST = 2_000;
/** Look-ahead for a missing record. */
const LOOK_AHEAD = 10_000;

/** One parsed line. */
interface Item {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly whole: boolean;
}

class Broken extends Error {
  constructor(readonly fault: Fault) {
    super(fault.message);
  }
}

/** @param files of one chain, oldest first. @throws Error for an unreadable file. */
export async function verifyChain(files: readonly string[], trust: Trust): Promise<Verdict> {
  const reading = new Reading(files, trust);
  let fault: Fault | null = null;
  try {
    for (const file of files) await reading.file(file);
    reading.end();
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    fault = error.fault;
  }
  return reading.verdict(fault);
}

class Reading {
  private records = 0;
  private instance: string | null = null;
  private from: Verdict['from'] = null;
  private to: Verdict['to'] = null;
  private signedUntil: number | null = null;
  private checkpoints = 0;
  private readonly keys = new Map<string, KeyObject>();
  private readonly seenKeys = new Set<string>();
  private readonly notes: string[] = [];
  private last: { item: Item; record: JsonObject } | undefined;
  private expectedSeen = false;
  /** Set if the first file is not the first of the chain. */
  private startsAt: { seq: number; prev: string | null } | undefined;
  /** Recorded deletions: number and hash of the last record of each file. */
  private readonly deleted = new Map<number, string>();
  private signer: string | undefined;
  /** Announced next key. */
  private announced: string | undefined;
  /** A signing key that is not announced yet. */
  private unannounced: string | undefined;

  constructor(
    private readonly files: readonly string[],
    private readonly trust: Trust,
  ) {
    for (const key of trust.keys ?? []) this.keys.set(publicJwk(key).kid, key);
  }

  async file(path: string): Promise<void> {
    const name = basename(path);
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      const end = await endOfText(handle, size);
      const items = numbered(readLines(handle, end < size ? { to: end } : {}), name);
      const ahead: Item[] = [];
      let isFirst = true;
      for (;;) {
        const item = ahead.shift() ?? (await items.next()).value;
        if (!item) break;
        const record = await this.record(item, ahead, items);
        if (!record) continue;
        if (isFirst) this.beginning(item, record);
        isFirst = false;
      }
      if (isFirst) this.notes.push(`${name} contains no record.`);
      if (end < size) this.zeros(name, size - end);
    } finally {
      await handle.close();
    }
  }

  /** The next start removes them, like a partial record. */
  private zeros(file: string, bytes: number): void {
    const { last } = this;
    if (last && file !== basename(this.files.at(-1) ?? ''))
      throw this.broken('truncated', last.item, null, `${file} ends in ${bytes} zero byte(s).`);
    this.notes.push(
      `${file} ends in ${bytes} zero byte(s): a power failure interrupted a write, or the end was overwritten.`,
    );
  }

  /** Checks at the end of the log. */
  end(): void {
    const { to, last, signedUntil, trust } = this;
    if (!to || !last) return;
    const { expected } = trust;
    if (expected && this.from && expected.seq < this.from.seq) {
      this.notes.push(
        `Record ${expected.seq} of --expect was not checked: these files begin at record ${this.from.seq}. Add the older files.`,
      );
    } else if (expected && !this.expectedSeen) {
      throw new Broken({
        kind: expected.seq > to.seq ? 'truncated' : 'unexpected',
        file: last.item.file,
        line: last.item.line,
        seq: to.seq,
        message: `Record ${expected.seq} with the hash ${expected.hash} is missing: the audit log ends at record ${to.seq}.`,
      });
    }
    this.noteBeginning();
    if (this.unannounced !== undefined)
      this.notes.push(
        `The key ${this.unannounced} signs the end of the log, but no record announces this key.`,
      );
    if (signedUntil === null)
      throw this.broken('unsigned', last.item, to.seq, 'The audit log has no signed record.');
    const kind = (last.record.checkpoint as Checkpoint | undefined)?.kind;
    if (kind === 'close') return;
    if (kind === 'rotate') {
      this.notes.push(
        'The last file was rotated, and the next file is missing: it was not named, or it was removed.',
      );
      return;
    }
    const open = to.seq - signedUntil;
    this.notes.push(
      `The log has no closing record: ${open === 0 ? 'its last record is signed' : `its last ${open} record(s) are not signed yet`}. The server is running, was killed, or the end was removed. Check the end with a later checkpoint from the server log: --expect SEQ:HASH.`,
    );
  }

  private noteBeginning(): void {
    const { startsAt, deleted } = this;
    if (!startsAt) return;
    const { seq, prev } = startsAt;
    const isOnRecord = deleted.get(seq - 1) === prev;
    this.notes.push(
      isOnRecord
        ? `The chain begins at record ${seq}: the server deleted the older files after their retention period, as recorded.`
        : `The chain begins at record ${seq}: the older files were not named, or were removed. No record shows that the server deleted them.`,
    );
  }

  verdict(fault: Fault | null): Verdict {
    const { files, instance, records, from, to, signedUntil, checkpoints, seenKeys, notes } = this;
    return {
      files,
      instance,
      records,
      from,
      to,
      signedUntil,
      checkpoints,
      keys: [...seenKeys],
      fault,
      notes,
    };
  }

  /** @returns undefined for the partial line of a crash. */
  private async record(
    item: Item,
    ahead: Item[],
    items: AsyncGenerator<Item>,
  ): Promise<JsonObject | undefined> {
    if (!item.whole) {
      if (!isTornRecord(item.text))
        throw this.broken('no_record', item, null, 'The file ends with invalid data instead of a record.');
      if (item.file !== basename(this.files.at(-1) ?? '')) {
        throw this.broken('truncated', item, null, 'The file ends in the middle of a record.');
      }
      this.notes.push(
        `${item.file} ends in the middle of a record: the server was killed during a write, is writing now, or the file was truncated.`,
      );
      return undefined;
    }
    const record = decodeVerified(item.text);
    if (!record) throw this.changed(item);
    const { seq, instance } = record;
    if (!Number.isSafeInteger(seq) || typeof instance !== 'string') throw this.changed(item);
    this.instance ??= instance;
    if (instance !== this.instance) {
      throw this.broken(
        'other_chain',
        item,
        seq as number,
        `The record belongs to the chain ${instance}, not to ${this.instance}.`,
      );
    }
    if (this.to && (seq !== this.to.seq + 1 || record.prev !== this.to.hash)) {
      throw await this.outOfPlace(item, record, ahead, items);
    }
    if (!this.to && seq === 1 && record.prev !== null) throw this.changed(item);
    this.accept(item, record);
    return record;
  }

  private accept(item: Item, record: JsonObject): void {
    const { seq, time, hash } = record as { seq: number; time: string; hash: string };
    const { expected } = this.trust;
    if (expected?.seq === seq) {
      if (expected.hash !== hash) {
        throw this.broken(
          'unexpected',
          item,
          seq,
          `Record ${seq} has a different hash than --expect: the log was rewritten up to this record.`,
        );
      }
      this.expectedSeen = true;
    }
    this.records += 1;
    this.from ??= { seq, time };
    this.to = { seq, time, hash };
    this.last = { item, record };
    if (record.event === 'checkpoint') this.checkpoint(item, record, seq);
    if (record.event === 'change') this.change(record.change as Change | undefined);
    const signedFrom = this.signedUntil ?? this.from.seq - 1;
    if (seq - signedFrom > UNSIGNED_AT_MOST) {
      throw this.broken(
        'unsigned',
        item,
        seq,
        `The records from ${signedFrom + 1} to ${seq} have no signature, but the server signs at least every 1,000 records.`,
      );
    }
  }

  /** First record of a file. */
  private beginning(item: Item, record: JsonObject): void {
    const seq = record.seq as number;
    const checkpoint = record.checkpoint as Checkpoint | undefined;
    if (checkpoint?.kind !== 'open') {
      throw this.broken(
        'removed',
        item,
        seq,
        `The file does not begin with its opening checkpoint: the records before record ${seq} were removed.`,
      );
    }
    if (seq > 1 && this.from?.seq === seq) {
      this.startsAt = { seq, prev: record.prev as string | null };
    }
  }

  private checkpoint(item: Item, record: JsonObject, seq: number): void {
    const checkpoint = record.checkpoint as Checkpoint | undefined;
    const id = checkpoint?.key_id ?? '';
    if (!this.trust.keys && checkpoint?.key)
      this.keys.set(
        id,
        ownKey(checkpoint, () => this.changed(item)),
      );
    const key = this.keys.get(id);
    if (!key) {
      throw this.broken(
        'unknown_key',
        item,
        seq,
        `The checkpoint is signed by the key ${id}, which is not a trusted key.`,
      );
    }
    if (!isSignedBy(record, key)) {
      throw this.broken(
        'forged_signature',
        item,
        seq,
        `The signature of the checkpoint does not match the key ${id}: the checkpoint or an earlier record was forged.`,
      );
    }
    this.requireAnnounced(item, seq, id, checkpoint?.kind);
    this.signer = id;
    this.seenKeys.add(id);
    this.checkpoints += 1;
    this.signedUntil = seq;
  }

  /** The server records a key change first after it opens a file. */
  private requireAnnounced(item: Item, seq: number, id: string, kind: Checkpoint['kind'] | undefined): void {
    const isNew = this.signer !== undefined && this.signer !== id && this.announced !== id;
    if (isNew) this.unannounced = id;
    if (this.unannounced === undefined || kind === 'open' || kind === 'rotate') return;
    throw this.broken(
      'unknown_key',
      item,
      seq,
      `The checkpoint is signed by a new key, ${id}, but no record announces this key.`,
    );
  }

  private change(change: Change | undefined): void {
    if (change?.what === 'key') {
      this.announced = change.to;
      if (this.unannounced === change.to) this.unannounced = undefined;
    }
    if (change?.what === 'retention') for (const { to, hash } of change.removed) this.deleted.set(to, hash);
  }

  private changed(item: Item): Broken {
    const seq = seqIn(item.text);
    return seq === null
      ? this.broken('no_record', item, null, 'The line contains no record.')
      : this.broken('changed', item, seq, `Record ${seq} was changed: its content does not match its hash.`);
  }

  /** A valid record that does not follow the previous one. */
  private async outOfPlace(
    item: Item,
    record: JsonObject,
    ahead: Item[],
    items: AsyncGenerator<Item>,
  ): Promise<Broken> {
    const { seq: lastSeq = 0, hash } = this.to ?? {};
    const seq = record.seq as number;
    const wanted = lastSeq + 1;
    const rest = [...ahead];
    for (let left = LOOK_AHEAD; left > 0; left--) {
      const next = (await items.next()).value;
      if (!next) break;
      rest.push(next);
    }
    const follows = rest.some(({ text }) => {
      const later = decodeVerified(text);
      return later?.seq === wanted && later.prev === hash;
    });
    if (follows && seq > wanted) {
      return this.broken('reordered', item, seq, `Record ${seq} is before record ${wanted}.`);
    }
    if (follows)
      return this.broken(
        'inserted',
        item,
        seq,
        `A record with the number ${seq} is in the place of record ${wanted}.`,
      );
    if (seq > wanted) {
      const isCut = this.last && this.last.item.file !== item.file;
      const which =
        seq - 1 === wanted ? `Record ${wanted} is` : `The records from ${wanted} to ${seq - 1} are`;
      return this.broken(
        isCut ? 'truncated' : 'removed',
        item,
        wanted,
        `${which} missing${isCut ? ` at the end of ${this.last?.item.file ?? ''}` : ''}.`,
      );
    }
    if (seq === wanted) {
      return this.broken(
        'changed',
        this.last?.item ?? item,
        lastSeq,
        `Record ${lastSeq} was rewritten: record ${seq} refers to a different predecessor.`,
      );
    }
    return this.broken('inserted', item, seq, `Record ${seq} is a duplicate or was inserted.`);
  }

  private broken(kind: FaultKind, { file, line }: Item, seq: number | null, message: string): Broken {
    return new Broken({ kind, file, line, seq, message });
  }
}

async function* numbered(lines: AsyncGenerator<readonly Line[]>, file: string): AsyncGenerator<Item> {
  let line = 0;
  for await (const some of lines) {
    for (const { text, whole } of some) yield { file, line: ++line, text, whole };
  }
}

function ownKey({ key, key_id: id }: Checkpoint, fault: () => Error): KeyObject {
  try {
    const own = createPublicKey({ key: { ...key }, format: 'jwk' });
    if (publicJwk(own).kid === id) return own;
  } catch {
    // Reported below.
  }
  throw fault();
}

function seqIn(text: string): number | null {
  const seq = parseJsonObject(text)?.seq;
  return Number.isSafeInteger(seq) ? (seq as number) : null;
}
