/** The unmodified OAuth clients of both MCP SDKs; only the browser is replaced. */
import * as v2 from '@modelcontextprotocol/client';
import * as v1Auth from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type * as v1 from '@modelcontextprotocol/sdk/shared/auth.js';
import { randomUUID } from 'node:crypto';
import { followLogin } from '../../demo/browser.js';

const CLIENT = { name: 'stock-client', version: '1.0.0' };

export interface StockLoginOptions {
  /** The `login_hint`; unset: the default user of the issuer. */
  readonly person?: string;
  /** If set, this https document identifies the client instead of a registration (SEP-991). */
  readonly clientMetadataUrl?: string;
  /** If true, the client also requests refresh tokens if the issuer supports them. */
  readonly refresh?: boolean;
}

interface Metadata {
  redirect_uris: string[];
  client_name: string;
  grant_types: string[];
  response_types: string[];
  token_endpoint_auth_method: string;
}

/** Storage and browser of one client, with all its authorization requests. */
class StockLogin<Info, Tokens, Discovery> {
  readonly redirectUrl = 'http://127.0.0.1:9/callback';
  readonly clientMetadataUrl?: string;
  readonly clientMetadata: Metadata;
  /** Query of each authorization request, in order. */
  readonly authorizations: URLSearchParams[] = [];
  private info: Info | undefined;
  private kept: Tokens | undefined;
  private discovery: Discovery | undefined;
  private verifier: string | undefined;
  private expectedState: string | undefined;
  private callback: URLSearchParams | undefined;

  constructor(private readonly options: StockLoginOptions = {}) {
    if (options.clientMetadataUrl !== undefined) this.clientMetadataUrl = options.clientMetadataUrl;
    this.clientMetadata = {
      redirect_uris: [this.redirectUrl],
      client_name: CLIENT.name,
      grant_types: options.refresh ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  /** The scopes of each authorization request, in order. */
  get scopesAsked(): string[][] {
    return this.authorizations.map((query) => query.get('scope')?.split(' ') ?? []);
  }

  /** The authorization response from the browser; each can be read once. */
  takeCallback(): URLSearchParams {
    const { callback } = this;
    this.callback = undefined;
    if (!callback) throw new Error('No login has completed');
    if (callback.get('state') !== this.expectedState) throw new Error('The login returned a different state');
    return callback;
  }

  state(): string {
    return (this.expectedState = randomUUID());
  }

  async redirectToAuthorization(url: URL): Promise<void> {
    this.authorizations.push(new URLSearchParams(url.search));
    const typed = new URL(url);
    if (this.options.person !== undefined) typed.searchParams.set('login_hint', this.options.person);
    this.callback = (await followLogin(typed, this.redirectUrl)).searchParams;
  }

  clientInformation(): Info | undefined {
    return this.info;
  }

  saveClientInformation(info: Info): void {
    this.info = info;
  }

  tokens(): Tokens | undefined {
    return this.kept;
  }

  saveTokens(tokens: Tokens): void {
    this.kept = tokens;
  }

  codeVerifier(): string {
    if (this.verifier === undefined) throw new Error('No login was started');
    return this.verifier;
  }

  saveCodeVerifier(verifier: string): void {
    this.verifier = verifier;
  }

  discoveryState(): Discovery | undefined {
    return this.discovery;
  }

  saveDiscoveryState(state: Discovery): void {
    this.discovery = state;
  }
}

/** `@modelcontextprotocol/sdk`, the version for 2025-11-25 and older. */
export class StockLoginV1
  extends StockLogin<v1.OAuthClientInformationMixed, v1.OAuthTokens, v1Auth.OAuthDiscoveryState>
  implements v1Auth.OAuthClientProvider {}

/** `@modelcontextprotocol/client`, the version for 2026-07-28. */
export class StockLoginV2
  extends StockLogin<v2.StoredOAuthClientInformation, v2.StoredOAuthTokens, v2.OAuthDiscoveryState>
  implements v2.OAuthClientProvider {}

export interface StockConnection<Client> {
  readonly client: Client;
  /** Runs a request; if the client needs more scopes, lets it request them and repeats the request. */
  readonly stepUp: <T>(request: () => Promise<T>) => Promise<T>;
}

/** Connects without prior state: 401, discovery, registration, login, token. */
export async function connectV1(url: string, login: StockLoginV1): Promise<StockConnection<ClientV1>> {
  const attempt = () => {
    const client = new ClientV1(CLIENT);
    const transport = new TransportV1(new URL(url), { authProvider: login });
    const finish = () => transport.finishAuth(codeOf(login.takeCallback()));
    return { client, finish, connected: client.connect(transport) };
  };
  return connect(attempt, (error) => error instanceof v1Auth.UnauthorizedError);
}

/** As {@link connectV1}; negotiates the newest revision of the server. */
export async function connectV2(url: string, login: StockLoginV2): Promise<StockConnection<v2.Client>> {
  const attempt = () => {
    const client = new v2.Client(CLIENT, { versionNegotiation: { mode: 'auto' } });
    const transport = new v2.StreamableHTTPClientTransport(new URL(url), { authProvider: login });
    const finish = () => transport.finishAuth(login.takeCallback());
    return { client, finish, connected: client.connect(transport) };
  };
  return connect(attempt, (error) => error instanceof v2.UnauthorizedError);
}

interface Attempt<Client> {
  readonly client: Client;
  readonly finish: () => Promise<void>;
  readonly connected: Promise<void>;
}

async function connect<Client>(
  attempt: () => Attempt<Client>,
  needsLogin: (error: unknown) => boolean,
): Promise<StockConnection<Client>> {
  const first = attempt();
  const current = await first.connected.then(
    () => first,
    async (error: unknown) => {
      if (!needsLogin(error)) throw error;
      await first.finish();
      const second = attempt();
      await second.connected;
      return second;
    },
  );
  return {
    client: current.client,
    stepUp: async (request) => {
      try {
        return await request();
      } catch (error) {
        if (!needsLogin(error)) throw error;
        await current.finish();
        return request();
      }
    },
  };
}

function codeOf(callback: URLSearchParams): string {
  const code = callback.get('code');
  if (code === null) throw new Error(`The login failed: ${callback.get('error')}`);
  return code;
}
