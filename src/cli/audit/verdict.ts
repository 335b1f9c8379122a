/** The result of verifying a chain, and the options that it depends on. */
import type { KeyObject } from 'node:crypto';

/** The fault of the first faulty record. */
export type FaultKind =
  | 'changed'
  | 'removed'
  | 'inserted'
  | 'reordered'
  | 'truncated'
  | 'unsigned'
  | 'forged_signature'
  | 'unknown_key'
  | 'no_record'
  | 'other_chain'
  | 'unexpected';

export interface Fault {
  readonly kind: FaultKind;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The number of the record; null where it is unreadable. */
  readonly seq: number | null;
  readonly message: string;
}

export interface Verdict {
  readonly files: readonly string[];
  readonly instance: string | null;
  readonly records: number;
  readonly from: { readonly seq: number; readonly time: string } | null;
  readonly to: { readonly seq: number; readonly time: string; readonly hash: string } | null;
  /** Number of the last record that a signature covers; null where none does. */
  readonly signedUntil: number | null;
  readonly checkpoints: number;
  readonly keys: readonly string[];
  readonly fault: Fault | null;
  readonly notes: readonly string[];
}

export interface Trust {
  /** Keys whose signatures count. Undefined: the keys that the audit log itself names; they prove only that it is of one piece. */
  readonly keys: readonly KeyObject[] | undefined;
  /** A record that was seen before, in a log or by a collector. */
  readonly expected: { readonly seq: number; readonly hash: string } | undefined;
}
