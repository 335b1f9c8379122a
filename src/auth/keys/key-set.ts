/** Signing keys of one issuer across outages and rotations (RFC 7517, RFC 8725 section 3.8). */
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { isSecureUrl } from '../../config/rules.js';
import { acceptsAlgorithm } from '../algorithms.js';
import { withoutQuery, fetchJson } from '../../http/outbound/bounded-fetch.js';
import {
  readPublishedKeys,
  type DroppedKey,
  type PublishedKeys,
  type VerificationKey,
} from './published-keys.js';
import { identityUnavailable } from '../token-errors.js';
import type { EventLog } from '../../core/event-logger.js';
import { RemoteDocument, DocumentInvalidated, type DocumentStatus } from './remote-document.js';

export type { VerificationKey } from './published-keys.js';

const COOLDOWN_MS = 5_000;
/** Maximum number of requests that wait for a fetch because of an unknown `kid`. It bounds memory. */
const MAX_WAITING = 1_024;
const MAX_MISSING = 1_000;
/** Total length of remembered `kid` values, in characters: a `kid` can be as long as a header. */
const MAX_MISSING_LENGTH = 2 ** 20;
const MISSING_MS = 60_000;
const MAX_NAMED = 5;

export interface KeySetOptions {
  readonly issuer: string;
  /** Accepted asymmetric JWS algorithms. */
  readonly algorithms: readonly string[];
  /** True: a set with one usable key without `kid` verifies tokens with a `kid`. Default false. */
  readonly acceptsKeyWithoutKid?: boolean | undefined;
  /** Address of the keys, read for each fetch because `jwks_uri` may change. Must be https, or http on loopback. */
  uri(): Promise<unknown>;
  /** Longest use of a removed key while the issuer is available. */
  readonly refreshMs: number;
  /** Longest use of keys while the issuer is unavailable. */
  readonly maxAgeMs: number;
  /** Minimum interval of fetches caused by unknown `kid` values. Default 5,000. */
  readonly cooldownMs?: number;
  /** Time limit of one fetch. Default 5,000. */
  readonly timeoutMs?: number;
  readonly log: EventLog;
}

export interface KeySetStatus extends DocumentStatus {
  /** Number of usable keys. */
  readonly keys: number;
}

export class KeySet {
  private readonly document: RemoteDocument<PublishedKeys>;
  private readonly cooldownMs: number;
  /** A `kid` that a fetch did not find is rejected immediately for a while. Repeated use does not extend this time. */
  private readonly missing = new LRUCache<string, true>({
    max: MAX_MISSING,
    ttl: MISSING_MS,
    maxSize: MAX_MISSING_LENGTH,
    sizeCalculation: (_true, kid) => kid.length + 1,
  });
  private readonly stopping = new AbortController();
  private pausing: Promise<void> | undefined;
  private waiting = 0;
  private warned = '';

  constructor(private readonly options: KeySetOptions) {
    this.cooldownMs = options.cooldownMs ?? COOLDOWN_MS;
    this.document = new RemoteDocument({
      name: `Keys of ${options.issuer}`,
      subject: 'jwks',
      load: (signal) => this.load(signal),
      refreshMs: options.refreshMs,
      maxAgeMs: options.maxAgeMs,
      timeoutMs: options.timeoutMs,
      log: options.log,
    });
  }

  /** Starts the background refresh. Without it keys are fetched on demand. */
  start(): void {
    this.document.start();
  }

  /** Ends timers, a running fetch and all waiters. Cannot be undone. */
  stop(): void {
    this.document.stop();
    this.stopping.abort();
  }

  /**
   * Keys that may have signed a token with this header; empty if the issuer has no such key. Without `kid`, all keys
   * for `alg`. With an unknown `kid`, waits for a fetch, at most about `cooldownMs`.
   * @throws AppError `identity_unavailable` if the keys are unavailable.
   */
  async candidates(header: { alg: string; kid?: unknown }): Promise<readonly VerificationKey[]> {
    const { alg, kid } = header;
    if (!acceptsAlgorithm(this.options.algorithms, alg)) return [];
    if (kid !== undefined && typeof kid !== 'string') return [];
    const asked = this.document.attempts;
    const published = await this.document.get();
    const nameless = this.options.acceptsKeyWithoutKid === true && isSingleWithoutKid(published);
    const anyFits = kid === undefined || nameless;
    const { keys } = anyFits || published.kids.has(kid) ? published : await this.waitForKid(kid, asked);
    return keys.filter((key) => acceptsAlgorithm(key.algorithms, alg) && (anyFits || key.kid === kid));
  }

  /**
   * True if this key still belongs to the issuer. False if a refresh is overdue and was not tried: `candidates` then
   * fetches, and the token is verified again.
   * @param keyId the `id` of a `VerificationKey`.
   * @throws AppError `identity_unavailable` if the keys are older than `maxAgeMs`.
   */
  hasKey(keyId: string): boolean {
    const published = this.document.peek();
    if (this.document.overdue) return false;
    if (!published) throw identityUnavailable(this.document.lastError);
    return published.ids.has(keyId);
  }

  /**
   * A signature matches no key: a key may have been replaced under its `kid`. Fetches in the background, limited like
   * an unknown `kid`.
   */
  refreshAfterBadSignature(): void {
    const { refreshing, backingOff, sinceAttemptMs } = this.document;
    if (refreshing || backingOff || sinceAttemptMs < this.cooldownMs) return;
    void this.document.refresh().catch(() => undefined);
  }

  status(): KeySetStatus {
    return { ...this.document.status(), keys: this.document.peek()?.keys.length ?? 0 };
  }

  /** True if tokens can be verified now. Fetches missing keys. */
  async ready(): Promise<boolean> {
    try {
      await this.document.get();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Waits for a JWKS fetch that started after the token arrived; only that one can prove that `kid` is unknown.
   * All waiters share it. The cooldown counts from the last fetch of any kind, so random `kid` values cause no
   * additional fetches.
   */
  private async waitForKid(kid: string, asked: number): Promise<Pick<PublishedKeys, 'keys'>> {
    if (this.missing.has(kid)) return { keys: [] };
    if (this.waiting >= MAX_WAITING) throw identityUnavailable(new Error('Too many requests wait for keys'));
    this.waiting++;
    try {
      for (;;) {
        const published = await this.document.get();
        if (published.kids.has(kid)) return published;
        if (this.document.loadedBy > asked) {
          this.missing.set(kid, true);
          return published;
        }
        await this.next();
      }
    } finally {
      this.waiting--;
    }
  }

  /** Waits for the running fetch, waits for the cooldown, or fetches. */
  private async next(): Promise<void> {
    if (this.document.refreshing) return this.document.refresh();
    if (this.document.backingOff) throw identityUnavailable(this.document.lastError);
    const rest = this.cooldownMs - this.document.sinceAttemptMs;
    if (rest <= 0) return this.document.refresh();
    this.pausing ??= this.pause(rest).finally(() => (this.pausing = undefined));
    return this.pausing;
  }

  private async pause(ms: number): Promise<void> {
    try {
      await sleep(ms, undefined, { signal: this.stopping.signal, ref: false });
    } catch (error) {
      throw identityUnavailable(error);
    }
  }

  private async load(signal: AbortSignal): Promise<PublishedKeys> {
    const uri = await this.options.uri();
    if (typeof uri !== 'string' || !isSecureUrl(uri)) {
      throw new Error('The address of the keys (jwks_uri) is missing or not https');
    }
    const document = await fetchJson(uri, signal);
    const published = await readPublishedKeys(document, this.options.algorithms, this.document.peek()?.keys);
    this.warnDropped(published.dropped);
    // An empty set is a response, not an outage: an issuer may remove its last key.
    if (published.keys.length === 0) throw new DocumentInvalidated(`${withoutQuery(uri)} has no usable key`);
    return published;
  }

  /** Logs the same entries once, not at each refresh. */
  private warnDropped(dropped: readonly DroppedKey[]): void {
    const all = dropped.map(({ what }) => what).join('; ');
    if (all === this.warned) return;
    this.warned = all;
    if (dropped.length === 0) return;
    // Faulty entries first: the message names a limited number.
    const named = [...dropped].sort((one, other) => Number(other.faulty) - Number(one.faulty));
    const list = named.slice(0, MAX_NAMED).map(({ what }) => what);
    if (dropped.length > MAX_NAMED) list.push(`and ${dropped.length - MAX_NAMED} more`);
    const message = `Keys of ${this.options.issuer}: not used: ${list.join('; ')}`;
    const isFaulty = dropped.some(({ faulty }) => faulty);
    this.options.log.write(isFaulty ? 'jwks.keys_dropped' : 'jwks.keys_ignored', message);
  }
}

function isSingleWithoutKid({ keys, kids }: PublishedKeys): boolean {
  return keys.length === 1 && keys[0]?.kid === undefined && kids.size === 0;
}
