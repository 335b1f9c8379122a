/** The ledger of this instance: takes records, gives each its place, and answers when it is safe. */
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { AppError } from '../common/app-error.js';
import type { Exchange, Outcome } from '../common/exchange.js';
import type { Reason } from '../common/reasons.js';
import type { AuditSettings, Settings } from '../config/settings.js';
import { LedgerFile } from './ledger-file.js';
import { decisionRecord, listRecord, outcomeRecord, refusalRecord, type AuditRecord } from './record.js';

const SHUTDOWN_WAIT_MS = 5_000;

@Injectable()
export class AuditService implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(AuditService.name);
  private readonly settings: AuditSettings;
  private readonly instance = `${hostname()}-${randomUUID().slice(0, 8)}`;
  private readonly running = new Set<Promise<void>>();
  private ledger: LedgerFile | undefined;

  constructor(config: ConfigService<Settings, true>) {
    this.settings = config.get('audit', { infer: true });
  }

  /** @throws Error where the ledger cannot be opened: a server that cannot record has nothing to start for. */
  async onModuleInit(): Promise<void> {
    try {
      this.ledger = await LedgerFile.open(this.settings.file);
    } catch (error) {
      if (this.settings.onFailure === 'deny') throw error;
      this.logger.error(
        `The ledger cannot be opened, and AUDIT_ON_FAILURE=allow: ${(error as Error).message}`,
      );
    }
  }

  /** Waits a while for calls that still run, so that their ends are on record. */
  async onApplicationShutdown(): Promise<void> {
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, SHUTDOWN_WAIT_MS).unref());
    await Promise.race([Promise.all(this.running), timeout]);
    await this.ledger?.close();
  }

  async ready(): Promise<boolean> {
    return (await this.ledger?.writable()) ?? false;
  }

  /** Resolves when the decision, or the list, of this exchange is durable. @throws AppError `audit_unavailable` */
  async recordAllowed(exchange: Exchange): Promise<void> {
    const record = exchange.operation?.kind === 'list' ? listRecord(exchange) : decisionRecord(exchange);
    try {
      await this.write(record);
    } catch (error) {
      this.logger.error(
        { err: error as Error, decisionId: exchange.decisionId },
        'A decision could not be recorded',
      );
      if (this.settings.onFailure === 'deny') {
        throw new AppError('audit_unavailable', 'The audit ledger cannot be written', {
          status: 503,
          retryAfterSeconds: 5,
          cause: error,
        });
      }
    }
    exchange.audited = true;
  }

  /** A refusal stays one where it cannot be recorded; that it could not is logged. */
  async recordRefusal(exchange: Exchange, reason: Reason): Promise<void> {
    exchange.audited = true;
    await this.write(refusalRecord(exchange, reason)).catch((error: unknown) =>
      this.logger.error(
        { err: error as Error, decisionId: exchange.decisionId, reason },
        'A refusal could not be recorded',
      ),
    );
  }

  /** Records how a call ended once it has; that this could not be done is logged. */
  recordOutcome(exchange: Exchange, ended: Promise<Outcome>): void {
    const recorded = ended
      .then((outcome) => this.write(outcomeRecord(exchange, outcome, randomUUID())))
      .catch((error: unknown) =>
        this.logger.error(
          { err: error as Error, decisionId: exchange.decisionId },
          'An outcome could not be recorded',
        ),
      )
      .finally(() => this.running.delete(recorded));
    this.running.add(recorded);
  }

  private async write(record: AuditRecord): Promise<void> {
    if (!this.ledger) throw new Error('The ledger is not open');
    const { id, ...rest } = record;
    const [time, instance] = [new Date().toISOString(), this.instance];
    await this.ledger.append((seq) => JSON.stringify({ v: 1, seq, id, time, instance, ...rest }));
  }
}
