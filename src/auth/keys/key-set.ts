/** The signing keys of one issuer, which outlive its outages and its rotations (RFC 7517, RFC 8725 section 3.8). */
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
/** So many requests wait for the next fetch with a `kid` that nobody knows: a bound on memory, not on their rate. */
const MAX_WAITING = 1_024;
const MAX_MISSING = 1_000;
/** Of characters in all: a `kid` may be as long as a header. */
const MAX_MISSING_LENGTH = 2 ** 20;
const MISSING_MS = 60_000;
const MAX_NAMED = 5;

export interface KeySetOptions {
  readonly issuer: string;
  /** Accepted JWS algorithms: asymmetric ones. */
  readonly algorithms: readonly string[];
  /**
   * True: a set with a single usable key, one without a `kid`, verifies tokens that name a key. Default false: such a
   * token asks for a key that the set does not have.
   */
  readonly acceptsKeyWithoutKid?: boolean | undefined;
  /** Where the keys are; asked at each fetch, for `jwks_uri` may move. Anything but https (http on loopback) fails it. */
  uri(): Promise<unknown>;
  /** The longest time for which a key that the issuer took back still works, while the issuer answers. */
  readonly refreshMs: number;
  /** The longest time for which keys are used while the issuer does not answer. */
  readonly maxAgeMs: number;
  /** Tokens with an unknown `kid` cause at most one fetch in this time. Default 5,000. */
  readonly cooldownMs?: number;
  /** Of one fetch. Default 5,000. */
  readonly timeoutMs?: number;
  readonly log: EventLog;
}

export interface KeySetStatus extends DocumentStatus {
  /** Usable ones. */
  readonly keys: number;
}

export class KeySet {
  private readonly document: RemoteDocument<PublishedKeys>;
  private readonly cooldownMs: number;
  /** A `kid` that a fetch did not find is refused at once for a while; not for longer where it keeps being used. */
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

  /** Begins to fetch in the background. Without it keys are fetched when they are asked for. */
  start(): void {
    this.document.start();
  }

  /** For good: ends timers, a running fetch, and those who wait for one. */
  stop(): void {
    this.document.stop();
    this.stopping.abort();
  }

  /**
   * The keys that may have signed a token with this header; none where the issuer has no such key. Without a `kid`
   * all that fit `alg` may have. With an unknown one the answer waits for a fetch, at most about `cooldownMs`.
   * @throws AppError `identity_unavailable` where it cannot be known.
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
   * Whether this key is still one of the issuer's. False also where that is not known for sure, since a refresh is
   * overdue and was not tried: `candidates` asks, so a token that was verified before is then verified anew.
   * @param keyId the `id` of a `VerificationKey`.
   * @throws AppError `identity_unavailable` once the keys are older than `maxAgeMs`, while the issuer cannot be asked.
   */
  hasKey(keyId: string): boolean {
    const published = this.document.peek();
    if (this.document.overdue) return false;
    if (!published) throw identityUnavailable(this.document.lastError);
    return published.ids.has(keyId);
  }

  /**
   * A signature fits none of the keys: one of them may have been changed under its name. Fetches them again, in the
   * background and no more often than an unknown `kid` does.
   */
  refreshAfterBadSignature(): void {
    const { refreshing, backingOff, sinceAttemptMs } = this.document;
    if (refreshing || backingOff || sinceAttemptMs < this.cooldownMs) return;
    void this.document.refresh().catch(() => undefined);
  }

  status(): KeySetStatus {
    return { ...this.document.status(), keys: this.document.peek()?.keys.length ?? 0 };
  }

  /** Whether tokens can be verified now. Asks for keys where there are none. */
  async ready(): Promise<boolean> {
    try {
      await this.document.get();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * The keys as a fetch saw them that was begun after the first `asked` ones, which is after the token came: only such
   * a one can say that there is no such key.
   * All who wait share it, and the cooldown is counted from the last fetch of any kind, so that strangers with random
   * ids cause no more fetches than one stranger with one.
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

  /** One step towards a new fetch: the one that is running, the rest of the cooldown, or a fetch. */
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
    // An answer, and no outage: whoever takes back his last key must be believed as well.
    if (published.keys.length === 0)
      throw new DocumentInvalidated(`${withoutQuery(uri)} holds no key that can be used`);
    return published;
  }

  /** Once for the same entries, not with each refresh. */
  private warnDropped(dropped: readonly DroppedKey[]): void {
    const all = dropped.map(({ what }) => what).join('; ');
    if (all === this.warned) return;
    this.warned = all;
    if (dropped.length === 0) return;
    // What is wrong comes first, for not all of them are named.
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
