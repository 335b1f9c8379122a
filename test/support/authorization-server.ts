/**
 * A real token endpoint over HTTP: client credentials, token exchange, ID-JAG and JWT bearer grants, with
 * validation.
 */
import { createLocalJWKSet, decodeJwt, jwtVerify, SignJWT, type JSONWebKeySet, type JWTPayload } from 'jose';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeKey, type SigningKey } from './issuer.js';

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:';
const GRANT = 'urn:ietf:params:oauth:grant-type:';
export const CLIENT = { id: 'gate', secret: 's3cret of the gate' };

export class AuthorizationServer {
  /** The form of each request so far. */
  readonly asked: URLSearchParams[] = [];
  /** Lifetime of issued tokens in seconds. */
  lifetimeSeconds: number | undefined = 300;
  /** If set, the response to every request. */
  refusal: { status: number; body: string } | undefined;
  /** The keys of trusted subject tokens and grants. */
  trusted: () => JSONWebKeySet = () => ({ keys: [] });
  /** `token_type` of issued access tokens; undefined omits it. */
  tokenType: unknown = 'Bearer';
  private issued = 0;

  private constructor(
    private readonly server: Server,
    readonly url: string,
    private readonly key: SigningKey,
  ) {}

  static async start(): Promise<AuthorizationServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const own = new AuthorizationServer(server, url, await makeKey('as-1'));
    server.on('request', (request, response) => void own.answer(request, response));
    return own;
  }

  get endpoint(): string {
    return `${this.url}/token`;
  }

  get jwks(): JSONWebKeySet {
    return { keys: [this.key.jwk] } as JSONWebKeySet;
  }

  /** Number of requests with this grant. */
  count(grant: 'client_credentials' | 'token-exchange' | 'jwt-bearer'): number {
    return this.asked.filter((form) => form.get('grant_type')?.endsWith(grant)).length;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const form = new URLSearchParams(text);
    this.asked.push(form);
    const send = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (this.refusal) {
      response.writeHead(this.refusal.status, { 'content-type': 'application/json' });
      response.end(this.refusal.body);
      return;
    }
    const expected = new URLSearchParams({ '': CLIENT.id }).toString().slice(1);
    const secret = new URLSearchParams({ '': CLIENT.secret }).toString().slice(1);
    const basic = Buffer.from(`${expected}:${secret}`).toString('base64');
    if (request.headers.authorization !== `Basic ${basic}`) return send(401, { error: 'invalid_client' });
    try {
      send(200, await this.grant(form));
    } catch {
      send(400, { error: 'invalid_grant', error_description: `cannot take ${form.get('subject_token')}` });
    }
  }

  private async grant(form: URLSearchParams): Promise<object> {
    const keys = createLocalJWKSet(this.trusted());
    const [audience, scope] = [form.get('resource') ?? form.get('audience') ?? 'nobody', form.get('scope')];
    switch (form.get('grant_type')) {
      case 'client_credentials':
        return this.token({ sub: CLIENT.id, client_id: CLIENT.id, aud: audience, scope });
      case `${GRANT}token-exchange`: {
        if (form.get('subject_token_type') !== `${TOKEN_TYPE}access_token`)
          throw new Error('subject_token_type');
        const { payload } = await jwtVerify(form.get('subject_token') ?? '', keys);
        const wanted = form.get('requested_token_type');
        if (wanted === `${TOKEN_TYPE}id-jag`) {
          const claims = {
            sub: payload.sub,
            client_id: CLIENT.id,
            aud: form.get('audience'),
            resource: form.get('resource'),
            scope,
          };
          return {
            ...(await this.token(claims, 'oauth-id-jag+jwt')),
            issued_token_type: wanted,
            token_type: 'N_A',
          };
        }
        const actor = form.get('actor_token');
        const act = actor === null ? undefined : { sub: decodeJwt(actor).sub };
        return this.token({ sub: payload.sub, client_id: CLIENT.id, aud: audience, scope, act });
      }
      case `${GRANT}jwt-bearer`: {
        const { payload } = await jwtVerify(form.get('assertion') ?? '', keys, {
          typ: 'oauth-id-jag+jwt',
          audience: this.url,
        });
        return this.token({
          sub: payload.sub,
          client_id: payload.client_id,
          aud: payload.resource,
          scope: payload.scope,
        });
      }
      default:
        throw new Error('unsupported grant');
    }
  }

  private async token(claims: Record<string, unknown>, typ = 'at+jwt'): Promise<object> {
    const now = Math.floor(Date.now() / 1000);
    this.issued += 1;
    const payload = {
      ...claims,
      jti: `issued-${this.issued}`,
      iat: now,
      exp: now + (this.lifetimeSeconds ?? 300),
    };
    const token = await new SignJWT(JSON.parse(JSON.stringify(payload)) as JWTPayload)
      .setIssuer(this.url)
      .setProtectedHeader({ alg: this.key.alg, kid: this.key.kid, typ })
      .sign(this.key.privateKey);
    return {
      access_token: token,
      ...(this.tokenType !== undefined && { token_type: this.tokenType }),
      ...(this.lifetimeSeconds !== undefined && { expires_in: this.lifetimeSeconds }),
    };
  }
}
