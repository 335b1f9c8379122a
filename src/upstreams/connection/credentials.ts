/**
 * Credentials of the gateway at an upstream: a secret, its own token, or a token for the caller. Never the caller's
 * token.
 */
import { createTokenLru } from '../../lib/token-lru.js';
import type { UpstreamAuthSettings } from '../../config/settings.js';
import { authorizationKey, type UpstreamCaller } from './upstream-caller.js';
import { TokenEndpoint, type IssuedToken } from './token-endpoint.js';
import { UpstreamError } from './upstream-error.js';

type Headers = Readonly<Record<string, string>>;

export interface UpstreamCredentials {
  /** True if they differ per caller. */
  readonly isPersonal: boolean;
  /** @throws UpstreamError `credentials` */
  headersFor(caller: UpstreamCaller | undefined): Promise<Headers>;
  /** The upstream rejected the credentials. */
  forget(caller: UpstreamCaller | undefined): void;
}

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:';
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:';
/** Lifetime of a token without `expires_in`. */
const UNSAID_SECONDS = 60;
/** Tokens are renewed this long before expiry. */
const EARLIER_SECONDS = 30;

export function credentialsOf(auth: UpstreamAuthSettings | undefined): UpstreamCredentials {
  switch (auth?.method) {
    case undefined:
      return { isPersonal: false, headersFor: () => Promise.resolve({}), forget: () => undefined };
    case 'secret': {
      const headers = { [auth.header]: auth.value };
      return { isPersonal: false, headersFor: () => Promise.resolve(headers), forget: () => undefined };
    }
    case 'client_credentials': {
      const endpoint = new TokenEndpoint(auth);
      return new Tokens(false, () => endpoint.request({ grant_type: 'client_credentials' }));
    }
    case 'token_exchange':
      return exchanged(new TokenEndpoint(auth), auth.actor);
    case 'id_jag':
      return granted(new TokenEndpoint(auth.grant), new TokenEndpoint(auth));
  }
}

/** RFC 8693: the user is the subject, the gateway optionally the actor. */
function exchanged(endpoint: TokenEndpoint, withActor: boolean): UpstreamCredentials {
  const own = new Tokens(false, () => endpoint.request({ grant_type: 'client_credentials' }));
  return new Tokens(true, async (subject) => {
    const actor = withActor ? await own.tokenFor(undefined) : undefined;
    return endpoint.request({
      grant_type: `${GRANT_TYPE}token-exchange`,
      requested_token_type: `${TOKEN_TYPE}access_token`,
      subject_token: subject,
      subject_token_type: `${TOKEN_TYPE}access_token`,
      ...(actor !== undefined && { actor_token: actor, actor_token_type: `${TOKEN_TYPE}access_token` }),
    });
  });
}

/**
 * draft-ietf-oauth-identity-assertion-authz-grant: the caller's provider issues a grant for the server of the
 * upstream.
 */
function granted(provider: TokenEndpoint, server: TokenEndpoint): UpstreamCredentials {
  return new Tokens(true, async (subject) => {
    const { token: assertion } = await provider.requestGrant({
      grant_type: `${GRANT_TYPE}token-exchange`,
      requested_token_type: `${TOKEN_TYPE}id-jag`,
      subject_token: subject,
      subject_token_type: `${TOKEN_TYPE}access_token`,
    });
    return server.request({ grant_type: `${GRANT_TYPE}jwt-bearer`, assertion });
  });
}

/** Caches tokens until shortly before expiry. */
class Tokens implements UpstreamCredentials {
  private readonly known = createTokenLru<string>();
  /** By caller: pending requests are not shared between callers. */
  private readonly pending = new Map<string, Promise<string>>();

  constructor(
    readonly isPersonal: boolean,
    private readonly ask: (subject: string) => Promise<IssuedToken>,
  ) {}

  async headersFor(caller: UpstreamCaller | undefined): Promise<Headers> {
    return { Authorization: `Bearer ${await this.tokenFor(caller)}` };
  }

  forget(caller: UpstreamCaller | undefined): void {
    this.known.delete(this.keyOf(caller));
  }

  async tokenFor(caller: UpstreamCaller | undefined): Promise<string> {
    const key = this.keyOf(caller);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const pending = this.pending.get(key) ?? this.request(key, caller);
    return pending;
  }

  private request(key: string, caller: UpstreamCaller | undefined): Promise<string> {
    const token = this.fetch(key, caller).finally(() => this.pending.delete(key));
    this.pending.set(key, token);
    return token;
  }

  private async fetch(key: string, caller: UpstreamCaller | undefined): Promise<string> {
    const subject = this.isPersonal ? caller?.token?.reveal() : '';
    if (subject === undefined) throw new UpstreamError('credentials', 'no token available');
    const { token, lifetimeSeconds = UNSAID_SECONDS } = await this.ask(subject);
    // An exchanged token does not outlive its subject token.
    const left = caller && this.isPersonal ? caller.principal.expiresAt - Date.now() / 1000 : Infinity;
    const seconds = Math.min(lifetimeSeconds - Math.min(EARLIER_SECONDS, lifetimeSeconds / 2), left);
    const ttl = Math.floor(seconds * 1000);
    // A ttl of 0 would mean unlimited.
    if (ttl > 0) this.known.set(key, token, { ttl, size: token.length });
    return token;
  }

  private keyOf(caller: UpstreamCaller | undefined): string {
    return this.isPersonal && caller ? authorizationKey(caller.principal) : '';
  }
}
