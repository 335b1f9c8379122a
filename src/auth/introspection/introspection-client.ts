/** Asking an issuer about a token that says nothing by itself (RFC 7662). */
import { hash } from 'node:crypto';
import { AppError } from '../../core/app-error.js';
import { causeChain } from '../../lib/root-cause.js';
import { createTokenLru } from '../../lib/token-lru.js';
import { Semaphore } from '../../lib/semaphore.js';
import type { IntrospectionSettings } from '../../config/settings.js';
import { boundedFetch } from '../../http/outbound/bounded-fetch.js';
import {
  clientAuthentication,
  ClientAuthenticationError,
  type Credentials,
} from '../../http/outbound/client-authentication.js';
import type { Claims } from '../presets/presets.js';
import { identityUnavailable, invalidTokenError } from '../token-errors.js';
import { dropNullClaims } from '../verify/drop-null-claims.js';

export interface IntrospectionOptions {
  /** Exact `iss`. */
  readonly issuer: string;
  readonly settings: IntrospectionSettings;
  /** The address where `settings` names none; asked for at each question, and must end by itself. */
  endpoint(): Promise<string>;
  /** How long one question may take, in milliseconds; 5000 by default. */
  readonly timeoutMs?: number;
  /** How many questions may be open at once; 50 by default. Others wait for their turn as long as one may take. */
  readonly maxConcurrent?: number;
}

const TIMEOUT_MS = 5_000;
const MAX_CONCURRENT = 50;
/** Tokens that are asked about, or wait for it. */
const MAX_PENDING = 1_024;
const MAX_TOKEN_BYTES = 8 * 1024;

/** Answers that mean the asking client, not the token (RFC 7662 section 2.3, RFC 6749 section 5.2). */
const CLIENT_REFUSED = [400, 401, 403];
/** RFC 6750 section 4, RFC 9449 section 5. `N_A` is for what is no access token (RFC 8693 section 2.2.1). */
const ACCESS_TOKEN_TYPES = ['bearer', 'dpop'];
/** What Ory Hydra and dex call a refresh token beside `token_type: Bearer`; the claim is of no specification. */
const FOREIGN_USE = /^(refresh|id)(_token)?$/i;

/** One issuer, asked about its tokens. */
export class IntrospectionClient {
  private readonly authenticate: () => Promise<Credentials>;
  /** By the digest of the token: who reads this memory cannot use what it finds. */
  private readonly active = createTokenLru<Claims>();
  private readonly pending = new Map<string, Promise<Claims>>();
  private last: 'ok' | 'failing' | undefined;
  private readonly semaphore: Semaphore;

  constructor(private readonly options: IntrospectionOptions) {
    this.authenticate = clientAuthentication(options.settings, options.issuer);
    this.semaphore = new Semaphore(options.maxConcurrent ?? MAX_CONCURRENT);
  }

  /** As `said`, with the client as the subject where the answer names none. */
  async claims(token: string): Promise<Claims> {
    return withSubject(await this.activeClaims(token));
  }

  /**
   * The claims of an active token; `exp` is a number, `iss` is the issuer's, members that were null are left out,
   * and nothing else was checked. Takes no signal: others may be waiting for the same answer.
   * @throws AppError (401) `token_revoked` where the issuer says that the token is not active; `token_issuer`, `token_type`,
   *   `token_claims` where it is active, and no access token of this issuer with an end; `token_malformed` over 8 KiB.
   * @throws AppError `identity_unavailable` (503) where the issuer cannot be asked, or its answer cannot be believed.
   *   Its cause is a ClientAuthenticationError where the issuer does not accept this server as its client.
   */
  async activeClaims(token: string): Promise<Claims> {
    if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) {
      throw invalidTokenError('token_malformed', 'The token is too long');
    }
    const key = hash('sha256', token, 'base64');
    return this.active.get(key) ?? (await (this.pending.get(key) ?? this.open(key, token)));
  }

  private open(key: string, token: string): Promise<Claims> {
    if (this.pending.size >= MAX_PENDING) throw busy();
    const { timeoutMs = TIMEOUT_MS } = this.options;
    const answer = this.semaphore
      .run(() => this.ask(key, token), timeoutMs, busy)
      .finally(() => this.pending.delete(key));
    this.pending.set(key, answer);
    return answer;
  }

  /** What came of the last question; undefined where none was asked. */
  get lastAnswer(): 'ok' | 'failing' | undefined {
    return this.last;
  }

  private async ask(key: string, token: string): Promise<Claims> {
    const asked = performance.now();
    const claims = activeClaims(await this.answer(token), this.options.issuer);
    // Counted from the question: the token may have been revoked while the answer was on its way.
    const believed = this.options.settings.cacheSeconds * 1000 - (performance.now() - asked);
    const ttl = Math.floor(Math.min(believed, claims.exp * 1000 - Date.now()));
    // To the cache, 0 would mean for ever.
    if (ttl > 0) this.active.set(key, claims, { ttl, size: JSON.stringify(claims).length });
    return claims;
  }

  private async answer(token: string): Promise<Claims> {
    try {
      const response = await this.post(token);
      if (response.status !== 200) throw await this.refusalOf(response);
      const answer = await readAnswer(response);
      this.last = 'ok';
      return answer;
    } catch (error) {
      this.last = error instanceof AppError && error.status < 500 ? 'ok' : 'failing';
      throw error instanceof AppError
        ? error
        : identityUnavailable(withoutDetails(error, this.options.issuer));
    }
  }

  private async post(token: string): Promise<Response> {
    const { settings, timeoutMs = TIMEOUT_MS } = this.options;
    const endpoint = settings.endpoint ?? (await this.options.endpoint());
    const { headers, parameters } = await this.authenticate();
    return boundedFetch(endpoint, {
      method: 'POST',
      headers: { accept: 'application/json', ...headers },
      body: new URLSearchParams({ token, token_type_hint: 'access_token', ...parameters }),
      signal: AbortSignal.timeout(timeoutMs),
    });
  }

  private async refusalOf(response: Response): Promise<Error> {
    const { status } = response;
    const code = await errorCodeOf(response);
    // Some say so of a JWT, or of an ID token: it is about the token, and not about who asks.
    if (status === 400 && code === 'unsupported_token_type') {
      return invalidTokenError('token_type', 'The token is not an access token that its issuer answers for');
    }
    const activeClaims = `The introspection endpoint answered ${status}${code === undefined ? '' : ` ${code}`}`;
    if (!CLIENT_REFUSED.includes(status)) return new Error(activeClaims);
    const { clientId, authentication } = this.options.settings;
    return new ClientAuthenticationError(
      `${activeClaims}: it does not accept this server as the client ${clientId} with ${authentication.method}`,
    );
  }
}

/** The `error` of an OAuth error answer (RFC 6749 section 5.2), where it is one. */
async function errorCodeOf(response: Response): Promise<string | undefined> {
  try {
    const { error } = parsed(await response.arrayBuffer()) as { error?: unknown };
    return typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 7662 section 2.2. What JSON.parse says of a bad text quotes it, and the text may quote the token. */
async function readAnswer(response: Response): Promise<Claims> {
  const type = response.headers.get('content-type') ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type))
    throw new Error('The introspection endpoint answered no JSON');
  const answer = parsed(await response.arrayBuffer());
  if (typeof (answer as Claims | null)?.active !== 'boolean') {
    throw new Error('The introspection endpoint answered no object that says whether the token is active');
  }
  return answer as Claims;
}

function parsed(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Error('The introspection endpoint answered something that is not JSON');
  }
}

function activeClaims(answer: Claims, issuer: string): Claims & { readonly exp: number } {
  if (answer.active !== true) throw invalidTokenError('token_revoked', 'The token is not active');
  const claims = dropNullClaims(answer);
  const { iss = issuer, token_type: type, token_use: use, exp } = claims;
  if (iss !== issuer) throw invalidTokenError('token_issuer', 'The token is of another issuer');
  const foreign = typeof use === 'string' && FOREIGN_USE.test(use);
  if (foreign || (type !== undefined && !isAccessTokenType(type))) {
    throw invalidTokenError('token_type', 'The token is not an access token');
  }
  // Nothing else bounds what an opaque token can be used for.
  if (typeof exp !== 'number' || !Number.isFinite(exp)) {
    throw invalidTokenError('token_claims', 'The issuer does not say when the token expires');
  }
  return { ...claims, iss, exp };
}

/** RFC 7662 makes `sub` optional: a token of a client that acts for itself (RFC 9068 section 2.2) is about that client. */
export function withSubject(claims: Claims): Claims {
  const { sub = claims.client_id } = claims;
  return sub === undefined ? claims : { ...claims, sub };
}

function isAccessTokenType(type: unknown): boolean {
  return typeof type === 'string' && ACCESS_TOKEN_TYPES.includes(type.toLowerCase());
}

/** The issuer is well, as far as is known: this server asks it no more at once. */
function busy(): AppError {
  return new AppError('identity_unavailable', 'The identity provider is being asked too much at once', {
    status: 503,
    retryAfterSeconds: 1,
  });
}

/** What failed, in words: errors of fetch can hold the bytes of an answer, which may quote the token. */
function withoutDetails(error: unknown, issuer: string): Error {
  if (error instanceof ClientAuthenticationError) return error;
  const words = causeChain(error).map(({ message, code }) => String(message || code));
  return new Error(`No answer of ${issuer} about a token: ${words.join(': ')}`);
}
