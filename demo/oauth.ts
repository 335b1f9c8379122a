/** The OAuth steps of an agent: registration, login of the user, token exchange. */
import { createHash, randomBytes } from 'node:crypto';
import { followLogin } from './browser.js';
import { ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE } from './token-exchange.js';

const REDIRECT_URI = 'http://127.0.0.1/callback';

export interface IssuerMetadata {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly registration_endpoint: string;
  readonly demo_issuer?: boolean;
}

export interface RegisteredClient {
  readonly client_id: string;
  readonly client_secret?: string;
}

/** @throws Error unless the issuer is a demo issuer: other issuers do not log in by name. */
export async function readDemoIssuer(url: string): Promise<IssuerMetadata> {
  const issuer = url.replace(/\/$/, '');
  const metadata = (await getJson(`${issuer}/.well-known/oauth-authorization-server`)) as IssuerMetadata;
  if (metadata.issuer !== issuer) throw new Error(`${url} has the metadata of another issuer`);
  if (metadata.demo_issuer !== true) {
    throw new Error(`${url} is not a demo issuer; start one with: node dist-demo/issuer-main --help`);
  }
  return metadata;
}

/** A public client for user logins. */
export function registerApp(issuer: IssuerMetadata, name: string): Promise<RegisteredClient> {
  return register(issuer, {
    client_name: name,
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  });
}

/** A confidential client with only the token exchange grant. */
export function registerAgent(issuer: IssuerMetadata, name: string): Promise<RegisteredClient> {
  return register(issuer, {
    client_name: name,
    redirect_uris: [],
    grant_types: [TOKEN_EXCHANGE],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
  });
}

export interface Login {
  readonly person: string;
  readonly scope: string;
  readonly resource: string;
}

/**
 * Authorization code flow with PKCE, `iss` (RFC 9207) and resource indicator (RFC 8707). @returns the access token.
 */
export async function logIn(issuer: IssuerMetadata, app: RegisteredClient, login: Login): Promise<string> {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const request = new URL(issuer.authorization_endpoint);
  request.search = new URLSearchParams({
    response_type: 'code',
    client_id: app.client_id,
    redirect_uri: REDIRECT_URI,
    scope: login.scope,
    resource: login.resource,
    login_hint: login.person,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString();
  const answer = (await followLogin(request, REDIRECT_URI)).searchParams;
  if (answer.get('iss') !== issuer.issuer) throw new Error('The login response names another issuer');
  if (answer.get('state') !== state) throw new Error('The login response has another state');
  const code = answer.get('code');
  if (code === null) {
    throw new Error(
      `The login of ${login.person} failed: ${answer.get('error_description') ?? answer.get('error')}`,
    );
  }
  return requestToken(issuer, app, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: verifier,
    resource: login.resource,
  });
}

/** RFC 8693: returns a token of the agent with its delegation. */
export function exchangeToken(
  issuer: IssuerMetadata,
  agent: RegisteredClient,
  subjectToken: string,
  resource: string,
  scope?: string,
): Promise<string> {
  return requestToken(issuer, agent, {
    grant_type: TOKEN_EXCHANGE,
    subject_token: subjectToken,
    subject_token_type: ACCESS_TOKEN_TYPE,
    resource,
    ...(scope !== undefined && { scope }),
  });
}

async function requestToken(
  issuer: IssuerMetadata,
  client: RegisteredClient,
  parameters: Record<string, string>,
): Promise<string> {
  const secret = client.client_secret;
  const body = secret === undefined ? { ...parameters, client_id: client.client_id } : parameters;
  const answer = await post(issuer.token_endpoint, new URLSearchParams(body), {
    ...(secret !== undefined && { authorization: `Basic ${basic(client.client_id, secret)}` }),
  });
  return (answer as { access_token: string }).access_token;
}

async function register(issuer: IssuerMetadata, metadata: object): Promise<RegisteredClient> {
  const body = JSON.stringify(metadata);
  return (await post(issuer.registration_endpoint, body, {
    'content-type': 'application/json',
  })) as RegisteredClient;
}

/** RFC 6749 section 2.3.1: each part is form-encoded before the two are joined. */
function basic(id: string, secret: string): string {
  return Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64');
}

async function post(
  url: string,
  body: string | URLSearchParams,
  headers: Record<string, string>,
): Promise<unknown> {
  const response = await fetch(url, { method: 'POST', body, headers });
  const answer = (await response.json()) as { error?: string; error_description?: string };
  if (!response.ok) {
    throw new Error(`${url} answered ${response.status}: ${answer.error} (${answer.error_description})`);
  }
  return answer;
}

/** @throws Error without a response or if it is not JSON. */
export async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw new Error(`No server responds at ${url}`, { cause });
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}
