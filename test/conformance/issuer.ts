/** Minimal issuer: metadata (RFC 8414), one key and tokens signed with it. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

const KEY_ID = 'conformance';
const LIFETIME = '30 minutes';

export interface Issuer {
  readonly url: string;
  /** An access token of a user of the suite, with the single scope of the fixtures. */
  issueToken(audience: string): Promise<string>;
}

export async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const key = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'ES256', use: 'sig' };
  const documents = new Map<string, object>([['/jwks', { keys: [key] }]]);
  const url = await listen(serveJson(documents));
  documents.set('/.well-known/oauth-authorization-server', metadata(url));
  return { url, issueToken: (audience) => sign(privateKey, url, audience) };
}

function metadata(issuer: string): object {
  return {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    scopes_supported: ['conformance'],
  };
}

function sign(privateKey: CryptoKey, issuer: string, audience: string): Promise<string> {
  return new SignJWT({ client_id: 'conformance-suite', scope: 'conformance' })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: KEY_ID })
    .setIssuer(issuer)
    .setSubject('conformance-user')
    .setAudience(audience)
    .setJti(crypto.randomUUID())
    .setIssuedAt()
    .setExpirationTime(LIFETIME)
    .sign(privateKey);
}

function serveJson(documents: ReadonlyMap<string, object>): RequestListener {
  return (request, response) => {
    const document = documents.get(request.url ?? '');
    response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? { error: 'not_found' }));
  };
}

/** Listens on a free loopback port without keeping the process alive. */
async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
