/** Client for token introspection (RFC 7662). */
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
  /** Introspection endpoint if `settings` has none. Called for each request; must settle by itself. */
  endpoint(): Promise<string>;
  /** Time limit of one request in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
  /** Maximum number of concurrent requests. Default 50. Further ones wait at most the time limit of one request. */
  readonly maxConcurrent?: number;
}

const TIMEOUT_MS = 5_000;
const MAX_CONCURRENT = 50;
/** Maximum number of tokens in progress or waiting. */
const MAX_PENDING = 1_024;
const MAX_TOKEN_BYTES = 8 * 1024;

/** Statuses about the client, not the token (RFC 7662 section 2.3, RFC 6749 section 5.2). */
const CLIENT_REFUSED = [400, 401, 403];
/** RFC 6750 section 4, RFC 9449 section 5. `N_A` marks a token that is not an access token (RFC 8693 section 2.2.1). */
const ACCESS_TOKEN_TYPES = ['bearer', 'dpop'];
/** Ory Hydra and dex name a refresh token so, beside `token_type: Bearer`. The claim has no specification. */
const FOREIGN_USE = /^(refresh|id)(_token)?$/i;

/** Introspects tokens of one issuer. */
export class IntrospectionClient {
  private readonly authenticate: () => Promise<Credentials>;
  /** Keyed by the digest of the token, so the memory holds no usable token. */
  private readonly active = createTokenLru<Claims>();
  private readonly pending = new Map<string, Promise<Claims>>();
  private last: 'ok' | 'failing' | undefined;
  private readonly semaphore: Semaphore;

  constructor(private readonly options: IntrospectionOptions) {
    this.authenticate = clientAuthentication(options.settings, options.issuer);
    this.semaphore = new Semaphore(options.maxConcurrent ?? MAX_CONCURRENT);
  }

  /** Like `activeClaims`, with the client as the subject if the response has none. */
  async claims(token: string): Promise<Claims> {
    return withSubject(await this.activeClaims(token));
  }

  /**
   * Claims of an active token: `exp` is a number, `iss` is the issuer, null members are absent; other claims are
   * unchecked. Takes no signal, because callers share one request.
   * @throws AppError (401) `token_revoked` for an inactive token; `token_issuer`, `token_type`, `token_claims` for an
   * active token that is not an access token of this issuer with an expiry; `token_malformed` over 8 KiB.
   * @throws AppError `identity_unavailable` (503) if the issuer is unavailable or its response invalid. The cause is
   * a ClientAuthenticationError if the issuer rejects this client.
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

  /** Result of the last request. Undefined before the first. */
  get lastAnswer(): 'ok' | 'failing' | undefined {
    return this.last;
  }

  private async ask(key: string, token: string): Promise<Claims> {
    const asked = performance.now();
    const claims = activeClaims(await this.answer(token), this.options.issuer);
    // Counted from the request: the token may have been revoked before the response arrived.
    const believed = this.options.settings.cacheSeconds * 1000 - (performance.now() - asked);
    const ttl = Math.floor(Math.min(believed, claims.exp * 1000 - Date.now()));
    // A ttl of 0 would mean unlimited.
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
    // Some issuers answer so for a JWT or an ID token. The error concerns the token.
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

/** `error` of an OAuth error response (RFC 6749 section 5.2), or undefined. */
async function errorCodeOf(response: Response): Promise<string | undefined> {
  try {
    const { error } = parsed(await response.arrayBuffer()) as { error?: unknown };
    return typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 7662 section 2.2. Errors of JSON.parse quote the text, which may contain the token. */
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
  // An opaque token without an expiry would be valid forever.
  if (typeof exp !== 'number' || !Number.isFinite(exp)) {
    throw invalidTokenError('token_claims', 'The issuer does not say when the token expires');
  }
  return { ...claims, iss, exp };
}

/** RFC 7662 makes `sub` optional. The subject of a client credentials token is the client (RFC 9068 section 2.2). */
export function withSubject(claims: Claims): Claims {
  const { sub = claims.client_id } = claims;
  return sub === undefined ? claims : { ...claims, sub };
}

function isAccessTokenType(type: unknown): boolean {
  return typeof type === 'string' && ACCESS_TOKEN_TYPES.includes(type.toLowerCase());
}

/** The issuer is not at fault: this server limits its concurrent requests. */
function busy(): AppError {
  return new AppError('identity_unavailable', 'The identity provider is being asked too much at once', {
    status: 503,
    retryAfterSeconds: 1,
  });
}

/** Message without data: errors of fetch can contain the response, which may quote the token. */
function withoutDetails(error: unknown, issuer: string): Error {
  if (error instanceof ClientAuthenticationError) return error;
  const words = causeChain(error).map(({ message, code }) => String(message || code));
  return new Error(`No answer of ${issuer} about a token: ${words.join(': ')}`);
}
