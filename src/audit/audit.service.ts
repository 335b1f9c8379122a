/**
 * Connects the pipeline to the audit log. A decision is durable before its tool starts, and failed writes
 * are retried.
 */
import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { EventLogger } from '../core/event-logger.js';
import { AppError } from '../core/app-error.js';
import type { JsonObject } from '../lib/json.js';
import { UnorderedCollection } from '../lib/unordered-collection.js';
import type { RequestContext, Outcome } from '../core/request-context.js';
import type { Reason } from '../core/reasons.js';
import { startPoller, type Poller } from '../lib/poller.js';
import { withTimeout } from '../lib/with-timeout.js';
import type { AuditSettings, Settings } from '../config/settings.js';
import { Backlog } from './backlog.js';
import { changedMembers } from './security-config-snapshot.js';
import { AuditLog, type AuditLogFault, type Entry } from './audit-log.js';
import { pseudonymized } from './pseudonyms.js';
import { RecordFragmentCache } from './record-fragment-cache.js';
import {
  changeRecord,
  decisionRecord,
  interruptedRecord,
  listRecord,
  outcomeRecord,
  refusalRecord,
  type AuditRecord,
  type Change,
} from './record.js';
import { expiredFiles, removeFiles } from './retention.js';
import { loadSigningKey, type PublicJwk } from './signing-key.js';

/** Time to wait for running calls at shutdown, in milliseconds. */
const SHUTDOWN_WAIT_MS = 5_000;
/** Time a caller waits for the disk, in milliseconds. */
const PATIENCE_MS = 5_000;
/** Time a readiness probe waits for the disk, in milliseconds. */
const PROBE_PATIENCE_MS = 2_000;
const RETRY_MS = 1_000;
const RETENTION_EVERY_MS = 3_600_000;
const DAY_MS = 86_400_000;

const FAULTS: Readonly<Record<AuditLogFault, string>> = {
  'audit.end_not_signed': 'Audit log: the closing checkpoint was not signed',
  'audit.rotation_failed': 'Audit log: rotation failed, the current file keeps growing',
};

type Settled = 'written' | 'failed';

@Injectable()
export class AuditService implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new EventLogger(AuditService.name);
  private readonly settings: AuditSettings;
  private readonly running = new UnorderedCollection<Promise<unknown>>();
  private readonly backlog = new Backlog();
  private readonly parts = new RecordFragmentCache();
  /** Decision records of allowed calls that have not ended. */
  private readonly decisions = new WeakMap<RequestContext, AuditRecord>();
  private auditLog: AuditLog | undefined;
  private publicKey: PublicJwk | undefined;
  private start: { configuration: JsonObject; version: string } | undefined;
  private readonly pollers: Poller[] = [];
  private retrying = false;
  /** Records taken from the backlog whose write is in progress. */
  private following = 0;
  private readonly readers: (() => number)[] = [];

  constructor(config: ConfigService<Settings, true>) {
    this.settings = config.get('audit', { infer: true });
  }

  /** @throws Error if the audit log cannot be opened and AUDIT_ON_FAILURE is `deny`. */
  async onModuleInit(): Promise<void> {
    try {
      await this.open();
    } catch (error) {
      if (this.settings.onFailure === 'deny') throw error;
      this.logger.write(
        'audit.open_failed',
        `Audit log: cannot be opened, calls run unrecorded (AUDIT_ON_FAILURE=allow): ${(error as Error).message}`,
      );
    }
  }

  /**
   * Records the start of this run with its configuration, and the unfinished calls of the previous run.
   * Must be called before the first request.
   * @param configuration settings that affect decisions; the record names the changes since the previous
   * run.
   * @throws Error if the record cannot be written and AUDIT_ON_FAILURE is `deny`.
   */
  async recordStart(configuration: JsonObject, version: string): Promise<void> {
    this.start = { configuration, version };
    this.pollers.push(startPoller(() => this.retry(), RETRY_MS));
    this.pollers.push(startPoller(() => this.removeExpired(), RETENTION_EVERY_MS));
    try {
      await this.begin();
    } catch (error) {
      if (this.settings.onFailure === 'deny') throw error;
      const message = 'Audit log: this start was not recorded (AUDIT_ON_FAILURE=allow)';
      this.logger.write('audit.start_not_recorded', message, { err: error });
    }
    void this.removeExpired();
  }

  /** Waits up to SHUTDOWN_WAIT_MS for running calls, then signs the closing checkpoint. */
  async onApplicationShutdown(): Promise<void> {
    this.pollers.forEach((poller) => poller.stop());
    await withTimeout(Promise.all(this.running.items()), SHUTDOWN_WAIT_MS);
    if (!this.backlog.isEmpty) await withTimeout(this.retry(), PATIENCE_MS);
    if (!this.backlog.isEmpty) {
      const message = `Audit log: ${this.backlog.size} unwritten record(s) lost at shutdown`;
      this.logger.write('audit.records_lost', message);
    }
    await this.auditLog?.close();
  }

  async ready(): Promise<boolean> {
    return (
      (await withTimeout(this.auditLog?.writable() ?? Promise.resolve(false), PROBE_PATIENCE_MS)) ?? false
    );
  }

  /** Sequence number of the last durable record. Only durable records are exported. */
  get lastDurableSeq(): number {
    return this.auditLog?.reach ?? 0;
  }

  /** Number of records that wait to be written again. */
  get pendingCount(): number {
    return this.backlog.size + this.following;
  }

  /** Identity of the chain; empty while the audit log is not open. */
  get instance(): string {
    return this.auditLog?.instance ?? '';
  }

  /**
   * Registers a consumer. Files with records it has not delivered are not deleted. @param arrived returns
   * the last delivered sequence number.
   */
  registerConsumer(arrived: () => number): void {
    this.readers.push(arrived);
  }

  /** Public key that verifies the checkpoints (RFC 8037); undefined while the audit log is not open. */
  get key(): PublicJwk | undefined {
    return this.publicKey;
  }

  /**
   * Resolves when the decision or the list of this request is durable. @throws AppError `audit_unavailable`
   */
  async recordAllowed(requestContext: RequestContext): Promise<void> {
    const isList = requestContext.operation?.kind === 'list';
    const record = isList
      ? listRecord(requestContext, this.parts)
      : decisionRecord(requestContext, this.parts);
    if (!isList) this.decisions.set(requestContext, record);
    const since = new Date();
    const entry = this.append(record);
    const state = (await withTimeout(this.settled(entry), PATIENCE_MS)) ?? 'waiting';
    if (state !== 'written') {
      this.logger.write('audit.decision_not_recorded', 'Audit log: decision not recorded in time', {
        decisionId: requestContext.decisionId,
      });
      if (state === 'failed') this.backlog.beginGap(since);
      if (this.settings.onFailure === 'deny') throw this.unavailable(requestContext, entry, state);
      if (state === 'failed' || entry?.withdraw()) this.backlog.keep(record, since);
      else this.keepIfLost(record, since, entry);
    }
    requestContext.audited = true;
  }

  /** Records a refusal. If that fails, the refusal stands and its record is written later. */
  async recordRefusal(requestContext: RequestContext, reason: Reason): Promise<void> {
    requestContext.audited = true;
    requestContext.refused = reason;
    const entry = this.appendOrKeep(refusalRecord(requestContext, reason, this.parts));
    // A caller refused with `audit_unavailable` has already waited for the disk.
    if (reason !== 'audit_unavailable') await withTimeout(this.settled(entry), PATIENCE_MS);
  }

  /**
   * Resolves when the change is durable.
   * @throws Error if the record cannot be written and AUDIT_ON_FAILURE is `deny`.
   */
  async recordChange(change: Change): Promise<void> {
    const record = changeRecord(change, randomUUID());
    const since = new Date();
    const entry = this.append(record);
    if ((await withTimeout(this.settled(entry), PATIENCE_MS)) === 'written') return;
    if (this.settings.onFailure === 'deny') {
      entry?.withdraw();
      throw new Error('A change could not be recorded');
    }
    this.keepIfLost(record, since, entry);
  }

  /** Records a change that has already taken effect. If that fails, the record is written later. */
  async recordBestEffort(change: Change): Promise<void> {
    await withTimeout(this.settled(this.appendOrKeep(changeRecord(change, randomUUID()))), PATIENCE_MS);
  }

  /** Records the outcome of a call when it has ended. */
  recordOutcome(requestContext: RequestContext, ended: Promise<Outcome>, reason: Reason | null = null): void {
    const decision = this.decisions.get(requestContext) ?? decisionRecord(requestContext, this.parts);
    const recorded = ended.then(
      (outcome) => void this.appendOrKeep(outcomeRecord(decision, outcome, randomUUID(), reason), false),
    );
    const done = this.running.add(recorded);
    void recorded.finally(done);
  }

  private async open(): Promise<void> {
    const { file, keyFile, makesKey, rotateBytes, rotateDaily } = this.settings;
    this.auditLog = await AuditLog.open({
      file,
      key: (before) =>
        loadSigningKey({
          path: keyFile,
          mayMake: makesKey,
          hasSigned: before.end !== undefined,
          onReplaced: (message) => this.logger.write('audit.key_replaced', message),
        }),
      instance: `${hostname()}-${randomUUID().slice(0, 8)}`,
      rotateBytes,
      rotateDaily,
      now: () => new Date(),
      textOf: (part) => this.parts.textOf(part),
      onCheckpoint: (seq, hash) =>
        this.logger.write('audit.checkpoint_signed', `Audit log: signed up to ${seq}:${hash}`),
      onError: (error, event) => this.logger.write(event, FAULTS[event], { err: error }),
    });
    this.publicKey = this.auditLog.key.jwk;
  }

  private async begin(): Promise<void> {
    const { auditLog, start, publicKey } = this;
    if (!auditLog || !start || !publicKey) return;
    const { unfinished, configuration: before, keyId } = auditLog.before;
    const { configuration, version } = start;
    const changed = changedMembers(before, configuration);
    if (changed?.length) {
      const message = `Security configuration: changed since the last start: ${changed.join(', ')}`;
      this.logger.write('audit.config_changed', message);
    }
    const isOtherKey = keyId !== undefined && keyId !== publicKey.kid;
    if (isOtherKey)
      this.logger.write(
        'audit.key_changed',
        `Audit log: signing key changed from ${keyId} to ${publicKey.kid}`,
      );
    const records = [
      // First: verification requires the announcement before the new key signs.
      ...(isOtherKey ? [changeRecord({ what: 'key', from: keyId, to: publicKey.kid }, randomUUID())] : []),
      ...unfinished.map((decision) => interruptedRecord(decision, randomUUID())),
      changeRecord(
        { what: 'start', version, host: hostname(), pid: process.pid, configuration, changed },
        randomUUID(),
      ),
    ];
    // Bypasses `append`: records of interrupted calls are already pseudonymized.
    await Promise.all(records.map((record) => auditLog.append(record).written));
    if (unfinished.length > 0) {
      const message = `Audit log: ${unfinished.length} call(s) of the last run recorded as interrupted`;
      this.logger.write('audit.calls_interrupted', message);
    }
  }

  private append(record: AuditRecord, flushNow = true): Entry | undefined {
    const { pseudonymKey } = this.settings;
    const own = pseudonymKey === undefined ? record : pseudonymized(record, pseudonymKey);
    return this.auditLog?.append(own, flushNow);
  }

  /** Appends a record, or keeps it in the backlog if the write fails. */
  private appendOrKeep(record: AuditRecord, flushNow = true): Entry | undefined {
    const since = new Date();
    const entry = this.append(record, flushNow);
    this.keepIfLost(record, since, entry);
    return entry;
  }

  private settled(entry: Entry | undefined): Promise<Settled> {
    if (!entry) return Promise.resolve('failed');
    return entry.written.then(
      () => 'written' as const,
      (error: unknown) => {
        this.logger.write('audit.write_failed', 'Audit log: a record cannot be written', { err: error });
        return 'failed' as const;
      },
    );
  }

  private keepIfLost(record: AuditRecord, since: Date, entry: Entry | undefined): void {
    if (!entry) this.backlog.keep(record, since);
    else void entry.written.catch(() => this.backlog.keep(record, since));
  }

  private unavailable(
    requestContext: RequestContext,
    entry: Entry | undefined,
    state: Settled | 'waiting',
  ): AppError {
    if (entry && state === 'waiting' && !entry.withdraw()) {
      // The allow record may still reach the disk although the call never runs. It then needs a failed
      // outcome.
      requestContext.audited = true;
      const since = new Date();
      entry.written.then(
        () =>
          this.recordOutcome(
            requestContext,
            Promise.resolve({ status: 'failed', durationMs: 0 }),
            'audit_unavailable',
          ),
        () => this.backlog.keep(refusalRecord(requestContext, 'audit_unavailable', this.parts), since),
      );
    }
    return new AppError('audit_unavailable', 'The audit log cannot be written', {
      status: 503,
      retryAfterSeconds: 5,
    });
  }

  /** Writes the backlog after a record of the gap. */
  private async retry(): Promise<void> {
    if (this.retrying) return;
    this.retrying = true;
    try {
      if (!this.auditLog) {
        await this.open();
        await this.begin();
      }
      if (!this.backlog.isEmpty) await this.writeBacklog();
    } catch {
      // The failure was logged when it occurred; the next attempt follows after RETRY_MS.
    } finally {
      this.retrying = false;
    }
  }

  private async writeBacklog(): Promise<void> {
    const { gap, late, since } = this.backlog.take(new Date(), randomUUID());
    this.following = late.length;
    const gapEntry = this.append(gap);
    const entries = late.map((kept) => ({
      kept,
      entry: this.append({ ...kept.record, time: kept.since.toISOString() }),
    }));
    if ((await this.settled(gapEntry)) === 'failed') this.backlog.putBack(gap, since);
    for (const { kept, entry } of entries) {
      if ((await this.settled(entry)) === 'failed') this.backlog.keep(kept.record, kept.since);
    }
    this.following = 0;
    if (this.backlog.isEmpty) {
      const message = `Audit log: writable again, ${late.length} delayed record(s) written`;
      this.logger.write('audit.write_recovered', message);
    }
  }

  private async removeExpired(): Promise<void> {
    const { file, retentionDays } = this.settings;
    const { auditLog } = this;
    if (retentionDays === 0 || !auditLog) return;
    try {
      const expired = await expiredFiles(file, new Date(Date.now() - retentionDays * DAY_MS));
      const removed = expired.filter(({ to }) => this.readers.every((arrived) => to <= arrived()));
      if (removed.length === 0) return;
      await auditLog.append(changeRecord({ what: 'retention', removed }, randomUUID())).written;
      await removeFiles(file, removed);
    } catch (error) {
      this.logger.write('audit.retention_failed', 'Audit log: expired files were not deleted', {
        err: error,
      });
    }
  }
}
