/** Result of a verification and its options. */
import type { KeyObject } from 'node:crypto';

/** Fault of the first faulty record. */
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
  /** Number of the record; null if unreadable. */
  readonly seq: number | null;
  readonly message: string;
}

export interface Verdict {
  readonly files: readonly string[];
  readonly instance: string | null;
  readonly records: number;
  readonly from: { readonly seq: number; readonly time: string } | null;
  readonly to: { readonly seq: number; readonly time: string; readonly hash: string } | null;
  /** Last signed record; null without a signature. */
  readonly signedUntil: number | null;
  readonly checkpoints: number;
  readonly keys: readonly string[];
  readonly fault: Fault | null;
  readonly notes: readonly string[];
}

export interface Trust {
  /** Trusted keys. Undefined: keys in the log itself, which prove consistency only. */
  readonly keys: readonly KeyObject[] | undefined;
  /** A record seen earlier, in a log or by a collector. */
  readonly expected: { readonly seq: number; readonly hash: string } | undefined;
}
