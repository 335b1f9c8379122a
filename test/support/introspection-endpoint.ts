/** A real RFC 7662 endpoint over HTTP: validates the client, counts requests and supports scripted responses. */
import { exportPKCS8, importJWK, jwtVerify } from 'jose';
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { IntrospectionSettings } from '../../src/config/settings.js';
import type { Claims, SigningKey } from './issuer.js';

/** The accepted client and its authentication method. */
export type IntrospectingClient =
  | {
      readonly id: string;
      readonly method: 'client_secret_basic' | 'client_secret_post';
      readonly secret: string;
    }
  | { readonly id: string; readonly method: 'private_key_jwt'; readonly key: SigningKey };

/** One received request. */
export interface Question {
  readonly headers: IncomingMessage['headers'];
  readonly form: URLSearchParams;
}

/** Replaces the response of the endpoint; a behaviour that never ends its response hangs. */
export type Behaviour = (response: ServerResponse, question: Question) => void;

const PATH = '/introspect';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const MAX_ASSERTION_SECONDS = 60;

export class IntrospectionEndpoint {
  /** Every request so far. */
  readonly questions: Question[] = [];
  /** Maximum number of concurrent requests. */
  most = 0;
  private asked = 0;
  /** If set, replaces the default response and the client authentication. */
  behaviour: Behaviour | undefined;

  private readonly active = new Map<string, Claims>();
  private readonly assertionIds = new Set<string>();
  private held: Promise<void> | undefined;

  private constructor(
    private readonly server: Server,
    readonly url: string,
    /** The issuer of the tokens and the required audience of a client assertion. */
    readonly issuer: string,
    readonly client: IntrospectingClient,
  ) {}

  /** @param options `issuer` defaults to the address of this server. */
  static async start(
    options: { readonly client?: IntrospectingClient; readonly issuer?: string } = {},
  ): Promise<IntrospectionEndpoint> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const endpoint = new IntrospectionEndpoint(
      server,
      `${origin}${PATH}`,
      options.issuer ?? origin,
      options.client ?? { id: 'gate', method: 'client_secret_basic', secret: 'a secret' },
    );
    server.on('request', (request, response) => {
      endpoint.most = Math.max(endpoint.most, ++endpoint.asked);
      response.once('close', () => (endpoint.asked -= 1));
      endpoint.serve(request, response).catch(() => response.destroy());
    });
    return endpoint;
  }

  get calls(): number {
    return this.questions.length;
  }

  /** Issues an active opaque token with these claims in addition to the default ones; undefined removes a claim. */
  issue(claims: Claims = {}): string {
    const token = randomBytes(32).toString('base64url');
    this.activate(token, claims);
    return token;
  }

  /** Makes a given token active. */
  activate(token: string, claims: Claims = {}): void {
    const now = Math.floor(Date.now() / 1000);
    const usual = {
      iss: this.issuer,
      sub: 'alice',
      client_id: 'agent',
      token_type: 'Bearer',
      iat: now,
      exp: now + 300,
    };
    this.active.set(token, { ...usual, ...claims });
  }

  revoke(token: string): void {
    this.active.delete(token);
  }

  /** Delays responses until the returned function is called. */
  hold(): () => void {
    let release: () => void = () => undefined;
    this.held = new Promise((resolve) => (release = resolve));
    return () => {
      this.held = undefined;
      release();
    };
  }

  /** Settings of the gateway as a client of this endpoint. */
  async settings(over: Partial<IntrospectionSettings> = {}): Promise<IntrospectionSettings> {
    const { client } = this;
    const authentication: IntrospectionSettings['authentication'] =
      client.method === 'private_key_jwt'
        ? {
            method: client.method,
            key: await exportPKCS8(client.key.privateKey),
            algorithm: client.key.alg,
            keyId: client.key.kid,
          }
        : { method: client.method, secret: client.secret };
    return { endpoint: this.url, clientId: client.id, authentication, cacheSeconds: 0, ...over };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const question = { headers: request.headers, form: await readForm(request) };
    this.questions.push(question);
    await this.held;
    if (this.behaviour) return this.behaviour(response, question);
    if (request.method !== 'POST' || request.url !== PATH) return answerJson(response, 404, {});
    if (!/^application\/x-www-form-urlencoded\b/.test(request.headers['content-type'] ?? '')) {
      return answerJson(response, 415, {});
    }
    if (!(await this.knowsClient(question))) return answerJson(response, 401, { error: 'invalid_client' });
    const tokens = question.form.getAll('token');
    if (tokens.length !== 1) return answerJson(response, 400, { error: 'invalid_request' });
    const claims = this.active.get(tokens[0] as string);
    return answerJson(response, 200, { active: claims !== undefined, ...claims });
  }

  /** RFC 6749 section 2.3: only the registered method, without a second one. */
  private async knowsClient({ headers, form }: Question): Promise<boolean> {
    const { client } = this;
    const ways = [
      headers.authorization !== undefined && 'client_secret_basic',
      form.has('client_secret') && 'client_secret_post',
      form.has('client_assertion') && 'private_key_jwt',
    ].filter((way) => way !== false);
    if (ways.length !== 1 || ways[0] !== client.method) return false;
    if (client.method === 'private_key_jwt') return this.knowsAssertion(form, client.id, client.key);
    const [id, secret] =
      client.method === 'client_secret_basic'
        ? readBasic(headers.authorization ?? '')
        : [form.get('client_id'), form.get('client_secret')];
    return id === client.id && secret === client.secret;
  }

  /** RFC 7523 section 3, with the audience of its update: the issuer identifier as one string. */
  private async knowsAssertion(form: URLSearchParams, id: string, key: SigningKey): Promise<boolean> {
    try {
      const { payload, protectedHeader } = await jwtVerify(
        form.get('client_assertion') ?? '',
        await importJWK(key.jwk, key.alg),
        { issuer: id, subject: id, algorithms: [key.alg], requiredClaims: ['exp', 'iat', 'jti'] },
      );
      const { aud, exp, iat, jti } = payload as { aud: unknown; exp: number; iat: number; jti: string };
      const fresh = !this.assertionIds.has(jti) && exp - iat <= MAX_ASSERTION_SECONDS;
      this.assertionIds.add(jti);
      return (
        fresh &&
        aud === this.issuer &&
        protectedHeader.kid === key.kid &&
        form.get('client_assertion_type') === ASSERTION_TYPE &&
        [null, id].includes(form.get('client_id'))
      );
    } catch {
      return false;
    }
  }
}

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json;charset=UTF-8',
    'cache-control': 'no-store',
  });
  response.end(JSON.stringify(body));
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

/** RFC 6749 section 2.3.1: both parts are form-encoded. */
function readBasic(header: string): readonly [string, string] {
  const [, encoded = ''] = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(header) ?? [];
  const [id = '', secret = '', ...more] = Buffer.from(encoded, 'base64').toString().split(':');
  return more.length > 0 ? ['', ''] : [formDecoded(id), formDecoded(secret)];
}

function formDecoded(text: string): string {
  return new URLSearchParams(`=${text}`).get('') ?? '';
}
