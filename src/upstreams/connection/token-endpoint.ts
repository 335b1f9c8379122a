/** Requests tokens at an authorization server (RFC 6749 section 3.2) and validates its response. */
import { boundedFetch } from '../../http/outbound/bounded-fetch.js';
import { clientAuthentication, type Credentials } from '../../http/outbound/client-authentication.js';
import type { TokenRequestSettings } from '../../config/settings.js';
import { UpstreamError } from './upstream-error.js';
import { isJsonObject } from '../../lib/json.js';

export interface IssuedToken {
  readonly token: string;
  /** Seconds; undefined without `expires_in`. */
  readonly lifetimeSeconds: number | undefined;
}

const TIMEOUT_MS = 10_000;
/** RFC 6750 section 2.1, `b64token`. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
const MAX_TOKEN_LENGTH = 16_000;

/** One authorization server with the client registration of the gateway. */
export class TokenEndpoint {
  private readonly authenticate: () => Promise<Credentials>;

  constructor(private readonly settings: TokenRequestSettings) {
    this.authenticate = clientAuthentication(settings, settings.issuer);
  }

  /**
   * Requests an access token for Bearer use (RFC 6750).
   * @param parameters of the grant; the settings add audience, resource and scope.
   * @throws UpstreamError `credentials` without a token, or with another `token_type`.
   */
  request(parameters: Readonly<Record<string, string>>): Promise<IssuedToken> {
    return this.ask(parameters, checkBearer);
  }

  /**
   * Requests a grant for another authorization server. Its `token_type` is not checked (RFC 8693 section 2.2.1:
   * `N_A`).
   * @throws UpstreamError `credentials` without a grant.
   */
  requestGrant(parameters: Readonly<Record<string, string>>): Promise<IssuedToken> {
    return this.ask(parameters, () => undefined);
  }

  private async ask(
    parameters: Readonly<Record<string, string>>,
    checkType: (type: unknown) => void,
  ): Promise<IssuedToken> {
    const { tokenEndpoint, audience, resource, scope } = this.settings;
    try {
      const { headers, parameters: own } = await this.authenticate();
      const response = await boundedFetch(tokenEndpoint, {
        method: 'POST',
        headers: { accept: 'application/json', ...headers },
        body: new URLSearchParams({
          ...parameters,
          ...(audience !== undefined && { audience }),
          ...(resource !== undefined && { resource }),
          ...(scope !== undefined && { scope }),
          ...own,
        }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const answer = await answerOf(response);
      if (response.status !== 200)
        throw new Error(`The token endpoint answered ${response.status}${codeOf(answer)}`);
      const token = issued(answer);
      checkType(answer.token_type);
      return token;
    } catch (error) {
      // Response and fetch error may quote the sent credentials.
      const { message, name, cause } = error as Error;
      const ofProxy = cause instanceof Error && cause.message.startsWith('The proxy ') ? cause.message : name;
      const said = message.startsWith('The ') ? message : ofProxy;
      throw new UpstreamError('credentials', 'no token available', { cause: new Error(said) });
    }
  }
}

async function answerOf(response: Response): Promise<Record<string, unknown>> {
  try {
    const answer = (await response.json()) as unknown;
    return isJsonObject(answer) ? answer : {};
  } catch {
    return {};
  }
}

/** RFC 6749 section 5.2. */
function codeOf({ error }: Record<string, unknown>): string {
  return typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? ` ${error}` : '';
}

/** RFC 6749 section 7.1: a client must not use a token of an unknown type. */
function checkBearer(type: unknown): void {
  if (typeof type === 'string' && type.toLowerCase() === 'bearer') return;
  const named =
    typeof type === 'string' && /^[\w.:/-]{1,100}$/.test(type) ? `of type ${type}` : 'without a usable type';
  throw new Error(`The token endpoint issued a token ${named}: only Bearer tokens can be sent`);
}

function issued({ access_token: token, expires_in: lifetime }: Record<string, unknown>): IssuedToken {
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH || !TOKEN.test(token)) {
    throw new Error('The token endpoint answered without a token');
  }
  const seconds = Number(lifetime);
  return { token, lifetimeSeconds: lifetime !== undefined && seconds >= 0 ? seconds : undefined };
}
