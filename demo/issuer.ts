/** A real OAuth 2.1 authorization server for the demo and the tests only: it accepts any login_hint. */
import { createLocalJWKSet, exportJWK, generateKeyPair, type JWK } from 'jose';
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AccessToken, Context } from 'oidc-provider';
import { AUTHORIZATION_PATH, autoLogin, INTERACTION_PATH } from './auto-login.js';
import { findPerson, PERSON_NAMES, TOOL_SCOPES } from './people.js';
import { registerTokenExchange } from './token-exchange.js';

const HOST = '127.0.0.1';
const ALGORITHM = 'ES256';

export interface DemoIssuerOptions {
  /** 0 or unset: any free port. */
  readonly port?: number;
  /** Resource identifier of the MCP server, the only audience of the tokens. */
  readonly resource: string;
  /** User for requests without `login_hint`. Unset: see `showsLoginPage`. */
  readonly defaultPerson?: string;
  /** True: a login without `login_hint` and `defaultPerson` shows a page with all names. Default: such a login is denied. */
  readonly showsLoginPage?: boolean;
  /** Lifetime of access tokens in seconds. Default: 300. */
  readonly tokenLifetime?: number;
  /** Fetches client id metadata documents. Their URLs are https, so tests on loopback replace this function. */
  readonly fetch?: (url: string, init?: RequestInit) => Promise<Response>;
}

export interface DemoIssuer {
  /** Issuer identifier without a trailing slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** @throws Error if the port is in use or `defaultPerson` is unknown. */
export async function startDemoIssuer(options: DemoIssuerOptions): Promise<DemoIssuer> {
  if (options.defaultPerson !== undefined && !findPerson(options.defaultPerson)) {
    throw new Error(`Unknown user of the demo issuer: use one of ${PERSON_NAMES.join(', ')}`);
  }
  const server = createServer();
  await listen(server, options.port ?? 0);
  const url = `http://${HOST}:${(server.address() as AddressInfo).port}`;
  try {
    const provider = await withoutStartupNotices(() => createProvider(url, options));
    server.on('request', provider.callback());
  } catch (error) {
    await close(server);
    throw error;
  }
  return { url, close: () => close(server) };
}

async function createProvider(issuer: string, options: DemoIssuerOptions) {
  const { errors, Provider } = await import('oidc-provider');
  const { resource, tokenLifetime: lifetime = 300 } = options;
  const key = await signingKey();
  const resourceServer = {
    audience: resource,
    scope: TOOL_SCOPES.join(' '),
    accessTokenFormat: 'jwt',
    accessTokenTTL: lifetime,
    jwt: { sign: { alg: ALGORITHM } },
  };
  const provider = new Provider(issuer, {
    jwks: { keys: [key.private] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    discovery: { demo_issuer: true },
    scopes: ['openid', 'offline_access', ...TOOL_SCOPES],
    responseTypes: ['code'],
    pkce: { required: () => true },
    ttl: {
      AccessToken: lifetime,
      Grant: 3600,
      IdToken: lifetime,
      Interaction: 300,
      RefreshToken: 3600,
      Session: 3600,
    },
    clientDefaults: { id_token_signed_response_alg: ALGORITHM },
    // Clients register the scope of their first request. Drop it, because it would forbid a step-up (RFC 7591
    // section 3.2.1).
    extraClientMetadata: {
      properties: ['demo'],
      validator: (_: Context, __: string, ___: unknown, metadata: { scope?: string }) => {
        delete metadata.scope;
      },
    },
    clientBasedCORS: () => true,
    ...(options.fetch && { fetch: options.fetch }),
    findAccount: (_: Context, name: string) =>
      findPerson(name) && { accountId: name, claims: () => ({ sub: name }) },
    extraTokenClaims: (context: Context, token: AccessToken) => ({
      roles: findPerson(token.accountId)?.roles ?? [],
      demo_issuer: true,
      ...(context.state.act !== undefined && { act: context.state.act }),
    }),
    routes: { authorization: AUTHORIZATION_PATH, registration: '/register' },
    interactions: { url: (_: Context, { uid }: { uid: string }) => `${INTERACTION_PATH}/${uid}` },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      registration: { enabled: true, idFactory: readableClientId },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: (_: Context, wanted: string) => {
          if (wanted !== resource) {
            throw new errors.InvalidTarget(`this issuer issues tokens only for ${resource}`);
          }
          return resourceServer;
        },
      },
    },
  });
  const { defaultPerson, showsLoginPage: showsPage } = options;
  provider.use(autoLogin(provider, { defaultPerson, showsPage }));
  const keys = createLocalJWKSet({ keys: [key.public] });
  registerTokenExchange(provider, errors, { issuer, resource, keys, lifetime, resourceServer });
  return provider;
}

async function signingKey(): Promise<{ private: JWK; public: JWK }> {
  const pair = await generateKeyPair(ALGORITHM, { extractable: true });
  const facts = { kid: randomUUID(), alg: ALGORITHM, use: 'sig' };
  return {
    private: { ...(await exportJWK(pair.privateKey)), ...facts },
    public: { ...(await exportJWK(pair.publicKey)), ...facts },
  };
}

/** A client id that is recognizable in the audit log. */
function readableClientId(context: Context): string {
  const given = context.oidc.body?.client_name;
  const name = (typeof given === 'string' ? given : '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  return `${name || 'client'}-${randomBytes(4).toString('hex')}`;
}

/** Hides two startup warnings of oidc-provider: the state is temporary by design, and Node 20 is tested. */
async function withoutStartupNotices<T>(run: () => Promise<T>): Promise<T> {
  const { warn } = console;
  console.warn = (...args: unknown[]) => {
    if (!/oidc-provider WARNING: (Unsupported runtime|a quick start)/.test(String(args[0]))) warn(...args);
  };
  try {
    return await run();
  } finally {
    console.warn = warn;
  }
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new Error(`Port ${port} is in use`) : error);
    });
    server.listen(port, HOST, resolve);
  });
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
