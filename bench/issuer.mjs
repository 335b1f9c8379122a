/** A real HTTP issuer with real keys. */
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

export async function makeKey(kid, alg) {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Metadata and keys, with a counter of key requests. */
export async function startIssuer(keys, audience) {
  const issuer = { keys, fetches: 0, down: false };
  const server = createServer((request, response) => {
    const documents = {
      '/jwks': { keys: issuer.keys.map(({ jwk }) => jwk) },
      '/.well-known/oauth-authorization-server': { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` },
    };
    if (request.url === '/jwks') issuer.fetches++;
    const document = issuer.down ? undefined : documents[request.url];
    response.writeHead(document ? 200 : 503, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer.url = `http://127.0.0.1:${server.address().port}`;
  issuer.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  /** @param claims `expires`: seconds from now, negative for the past; `for`: another audience. */
  issuer.mint = (key, claims = {}) => {
    const { kid = key.kid, sub = 'alice', scope = 'database.read', expires = 3000 } = claims;
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ client_id: 'agent', scope, jti: randomUUID() })
      .setProtectedHeader({ alg: key.alg, typ: 'at+jwt', kid })
      .setIssuer(issuer.url)
      .setAudience(claims.for ?? audience)
      .setSubject(sub)
      .setIssuedAt(Math.min(now, now + expires - 60))
      .setExpirationTime(now + expires)
      .sign(key.privateKey);
  };
  return issuer;
}
