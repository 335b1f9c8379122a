/** A real HTTP issuer with real keys: metadata, key set, and valid or invalid tokens. */
import {
  exportJWK,
  generateKeyPair,
  SignJWT,
  type CryptoKey,
  type JWK,
  type JWTHeaderParameters,
} from 'jose';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { accessTokenClaims } from './principals.js';

export interface SigningKey {
  readonly alg: string;
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export type Claims = Record<string, unknown>;

export async function makeKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

export class TestIssuer {
  /** Number of requests for each path. */
  readonly hits = new Map<string, number>();
  /** If set, the status of every response. */
  failing: number | undefined;
  /** Replaces the published document of a path. */
  readonly overrides = new Map<string, unknown>();
  /** Scripts the response for a path, for example late, endless or a redirect. */
  readonly scripts = new Map<string, (request: IncomingMessage, response: ServerResponse) => void>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
    readonly keys: SigningKey[],
  ) {}

  static async start(port = 0): Promise<TestIssuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const issuer = new TestIssuer(server, url, [await makeKey('key-1')]);
    server.on('request', (request, response) => issuer.answer(request, response));
    return issuer;
  }

  get key(): SigningKey {
    return this.keys.at(-1) as SigningKey;
  }

  get jwksFetches(): number {
    return this.hits.get('/jwks') ?? 0;
  }

  /**
   * An RFC 9068 access token of a user with these claims in addition to the default ones; undefined removes a claim.
   */
  async mint(
    audience: string,
    claims: Claims = {},
    options: { key?: SigningKey; header?: Partial<JWTHeaderParameters> } = {},
  ): Promise<string> {
    const key = options.key ?? this.key;
    const payload = Object.fromEntries(
      Object.entries(accessTokenClaims({ iss: this.url, aud: audience, ...claims })).filter(
        ([, value]) => value !== undefined,
      ),
    );
    const header = Object.fromEntries(
      Object.entries({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...options.header }).filter(
        ([, v]) => v !== undefined,
      ),
    ) as JWTHeaderParameters;
    return new SignJWT(payload).setProtectedHeader(header).sign(key.privateKey);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.hits.set(path, (this.hits.get(path) ?? 0) + 1);
    const script = this.scripts.get(path);
    if (script) return script(request, response);
    const document = this.failing === undefined ? this.document(path) : undefined;
    response.writeHead(this.failing ?? (document === undefined ? 404 : 200), {
      'content-type': 'application/json',
    });
    response.end(JSON.stringify(document ?? {}));
  }

  private document(path: string): unknown {
    if (this.overrides.has(path)) return this.overrides.get(path);
    if (path === '/jwks') return { keys: this.keys.map(({ jwk }) => jwk) };
    if (path === '/.well-known/oauth-authorization-server') {
      return {
        issuer: this.url,
        jwks_uri: `${this.url}/jwks`,
        authorization_endpoint: `${this.url}/authorize`,
        token_endpoint: `${this.url}/token`,
        response_types_supported: ['code'],
      };
    }
    return undefined;
  }
}
