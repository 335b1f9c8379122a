/** Records that could not be written. Keeps them for a later write up to a limit, and counts the rest. */
import { changeRecord, type AuditEvent, type AuditRecord } from './record.js';

/** About 20 MB of records. */
const MAX_KEPT = 10_000;

export interface Kept {
  readonly record: AuditRecord;
  /** Time of the event. */
  readonly since: Date;
}

export class Backlog {
  private since: Date | undefined;
  private kept: Kept[] = [];
  private readonly lost = new Map<AuditEvent, number>();

  constructor(private readonly maxKept = MAX_KEPT) {}

  get isEmpty(): boolean {
    return this.since === undefined;
  }

  get size(): number {
    return this.kept.length;
  }

  /** Starts a gap even without a kept record, as when an unrecorded decision became a refusal. */
  beginGap(since: Date): void {
    if (this.since === undefined || since < this.since) this.since = since;
  }

  /** @param since time of the event. */
  keep(record: AuditRecord, since: Date): void {
    this.beginGap(since);
    if (this.kept.length < this.maxKept) this.kept.push({ record, since });
    else this.lost.set(record.event, (this.lost.get(record.event) ?? 0) + 1);
  }

  /**
   * Empties the backlog; returns a gap record and the kept records. @throws Error if the backlog is empty.
   */
  take(
    until: Date,
    id: string,
  ): { readonly gap: AuditRecord; readonly late: readonly Kept[]; readonly since: Date } {
    const { since } = this;
    if (!since) throw new Error('There is no gap');
    const late = this.kept;
    const gap = changeRecord(
      {
        what: 'gap',
        since: since.toISOString(),
        until: until.toISOString(),
        late: late.length,
        lost: Object.fromEntries(this.lost),
      },
      id,
    );
    this.kept = [];
    this.since = undefined;
    this.lost.clear();
    return { gap, late, since };
  }

  /** Restores the losses counted in a gap record that could not be written. */
  putBack(gap: AuditRecord, since: Date): void {
    if (gap.change?.what !== 'gap') throw new Error('Not the record of a gap');
    this.beginGap(since);
    for (const [event, count] of Object.entries(gap.change.lost) as [AuditEvent, number][]) {
      this.lost.set(event, (this.lost.get(event) ?? 0) + count);
    }
  }
}
