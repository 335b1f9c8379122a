/** One delivery: verified, turned into revocations, durable, on record; in this order. */
import { Injectable, Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { createHash } from 'node:crypto';
import { AuditService } from '../../audit/audit.service.js';
import { readJwt } from '../../auth/verify/read-jwt.js';
import { AppError } from '../../core/app-error.js';
import { withoutTokens } from '../../lib/redact-tokens.js';
import type { Settings, TransmitterSettings } from '../../config/settings.js';
import { Counters } from '../../rate-limiting/quota.service.js';
import type { StoredRevocation } from '../revocation-store.js';
import { RevocationsService } from '../revocation.service.js';
import { checkHeader, readSet, type SecurityEvents } from './read-set.js';
import { recognize } from './authenticate-transmitter.js';
import { TransmitterKeys } from './transmitter-keys.service.js';
import { translate, type Meaning } from './event-effects.js';

const RETRY_AFTER_SECONDS = 5;

export interface Delivery {
  readonly token: string;
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  readonly ip: string;
}

@Injectable()
export class SignalsService {
  private readonly logger = new Logger('Signals');
  private readonly transmitters: readonly TransmitterSettings[];

  constructor(
    config: ConfigService<Settings, true>,
    private readonly keys: TransmitterKeys,
    private readonly counters: Counters,
    private readonly revocations: RevocationsService,
    private readonly audit: AuditService,
  ) {
    this.transmitters = config.get('signals', { infer: true });
  }

  /**
   * Resolves when all that the token says is durable; at once where it was delivered before.
   * @throws AppError with an RFC 8935 error where it is refused, `rate_limited` (429), `identity_unavailable` (503) where
   *   the transmitter shall send it again.
   */
  async receive({ token, authorization, ip }: Delivery): Promise<void> {
    const { jwt, transmitter } = recognize(this.transmitters, authorization, readJwt(token));
    await this.count(transmitter, ip);
    const alg = checkHeader(jwt.header, transmitter);
    await this.keys.requireSigned(token, { ...jwt.header, alg }, transmitter);
    const now = Date.now() / 1000;
    const set = readSet(jwt.claims, transmitter, now);
    const meanings = translate(set, transmitter, now);
    const stored = await this.store(set, transmitter, meanings);
    if (stored) await this.record(set, transmitter, meanings, stored);
    else this.logger.log(`A token of ${transmitter.issuer} was delivered again`);
  }

  /** A stranger must not use up what a transmitter has, where nothing but the signature tells them apart. */
  private count({ issuer, authorization, perMinute }: TransmitterSettings, ip: string): Promise<void> {
    const who = JSON.stringify(authorization === undefined ? [issuer, ip] : [issuer]);
    return this.counters.count({ name: 'signals', calls: perMinute, seconds: 60 }, who);
  }

  private async store(
    { jti }: SecurityEvents,
    { issuer }: TransmitterSettings,
    meanings: readonly Meaning[],
  ): Promise<StoredRevocation[] | undefined> {
    const message = createHash('sha256')
      .update(JSON.stringify([issuer, jti]))
      .digest();
    try {
      return await this.revocations.addOnce(
        message,
        meanings.flatMap(({ revocation }) => revocation ?? []),
      );
    } catch (error) {
      throw new AppError('identity_unavailable', 'The event cannot be kept now: send it again', {
        status: 503,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        cause: error,
      });
    }
  }

  /** After the fact: a ledger that cannot be written keeps nobody's tokens in force. */
  private async record(
    { jti }: SecurityEvents,
    { issuer }: TransmitterSettings,
    meanings: readonly Meaning[],
    stored: readonly StoredRevocation[],
  ): Promise<void> {
    const ids = stored.map(({ id }) => id);
    const changes = meanings.map((meaning) => {
      const event = withoutTokens(meaning.event);
      const why = meaning.revocation ? null : meaning.why;
      if (why !== null) {
        const isWarning = !meaning.revocation && meaning.isWarning;
        this.logger[isWarning ? 'warn' : 'log'](`${event} of ${issuer} changes nothing: ${why}`);
      }
      return {
        what: 'signal' as const,
        transmitter: issuer,
        jti: withoutTokens(jti),
        event,
        action: why === null ? ('revoked' as const) : ('acknowledged' as const),
        revocations: why === null ? ids.splice(0, 1) : [],
        why,
      };
    });
    await Promise.all(changes.map((change) => this.audit.recordHappened(change)));
  }
}
