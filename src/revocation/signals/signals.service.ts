/** Processes one delivery: verification, revocation, record, in this order. */
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { createHash } from 'node:crypto';
import { EventLogger } from '../../core/event-logger.js';
import { AuditService } from '../../audit/audit.service.js';
import { readJwt } from '../../auth/verify/read-jwt.js';
import { AppError } from '../../core/app-error.js';
import { redactTokens } from '../../lib/redact-tokens.js';
import type { Settings, TransmitterSettings } from '../../config/settings.js';
import { QuotaService } from '../../rate-limiting/quota.service.js';
import type { StoredRevocation } from '../revocation-store.js';
import { RevocationService } from '../revocation.service.js';
import { checkHeader, readSet, type SecurityEvents } from './read-set.js';
import { authenticateTransmitter } from './authenticate-transmitter.js';
import { TransmitterKeysService } from './transmitter-keys.service.js';
import { toEffects, type EventEffect } from './event-effects.js';

const RETRY_AFTER_SECONDS = 5;

export interface Delivery {
  readonly token: string;
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  readonly ip: string;
}

@Injectable()
export class SignalsService {
  private readonly logger = new EventLogger('Signals');
  private readonly transmitters: readonly TransmitterSettings[];

  constructor(
    config: ConfigService<Settings, true>,
    private readonly keys: TransmitterKeysService,
    private readonly counters: QuotaService,
    private readonly revocations: RevocationService,
    private readonly audit: AuditService,
  ) {
    this.transmitters = config.get('signals', { infer: true });
  }

  /**
   * Resolves when the effects are durable; immediately for a repeated delivery.
   * @throws AppError with an RFC 8935 error for a rejected token, `rate_limited` (429), `identity_unavailable` (503)
   * if the transmitter must repeat it.
   */
  async receive({ token, authorization, ip }: Delivery): Promise<void> {
    const { jwt, transmitter } = authenticateTransmitter(this.transmitters, authorization, readJwt(token));
    await this.count(transmitter, ip);
    const alg = checkHeader(jwt.header, transmitter);
    await this.keys.requireSigned(token, { ...jwt.header, alg }, transmitter);
    const now = Date.now() / 1000;
    const set = readSet(jwt.claims, transmitter, now);
    const effects = toEffects(set, transmitter, now);
    const stored = await this.store(set, transmitter, effects);
    if (stored) await this.record(set, transmitter, effects, stored);
    else
      this.logger.write('signal.redelivered', `Signal of ${transmitter.issuer}: delivered again, no effect`);
  }

  /** Without a shared secret the limit is also per address, so that others cannot exhaust it. */
  private count({ issuer, authorization, perMinute }: TransmitterSettings, ip: string): Promise<void> {
    const who = JSON.stringify(authorization === undefined ? [issuer, ip] : [issuer]);
    return this.counters.count({ name: 'signals', calls: perMinute, seconds: 60 }, who);
  }

  private async store(
    { jti }: SecurityEvents,
    { issuer }: TransmitterSettings,
    effects: readonly EventEffect[],
  ): Promise<StoredRevocation[] | undefined> {
    const message = createHash('sha256')
      .update(JSON.stringify([issuer, jti]))
      .digest();
    try {
      return await this.revocations.addOnce(
        message,
        effects.flatMap(({ revocation }) => revocation ?? []),
      );
    } catch (error) {
      throw new AppError('identity_unavailable', 'The server cannot store the event: send it again', {
        status: 503,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        cause: error,
      });
    }
  }

  /** After the effect: a failing audit log must not keep tokens valid. */
  private async record(
    { jti }: SecurityEvents,
    { issuer }: TransmitterSettings,
    effects: readonly EventEffect[],
    stored: readonly StoredRevocation[],
  ): Promise<void> {
    const ids = stored.map(({ id }) => id);
    const changes = effects.map((effect) => {
      const event = redactTokens(effect.event);
      const why = effect.revocation ? null : effect.why;
      if (why !== null) {
        const isWarning = !effect.revocation && effect.isWarning;
        this.logger.write(
          isWarning ? 'signal.stream_stopped' : 'signal.acknowledged',
          `Signal of ${issuer}: ${event} revokes no token: ${why}`,
        );
      }
      return {
        what: 'signal' as const,
        transmitter: issuer,
        jti: redactTokens(jti),
        event,
        action: why === null ? ('revoked' as const) : ('acknowledged' as const),
        revocations: why === null ? ids.splice(0, 1) : [],
        why,
      };
    });
    await Promise.all(changes.map((change) => this.audit.recordBestEffort(change)));
  }
}
