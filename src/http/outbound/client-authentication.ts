/** How this server proves to an authorization server who it is (RFC 6749 section 2.3, RFC 7523). */
import { importPKCS8, SignJWT, type CryptoKey } from 'jose';
import { randomUUID } from 'node:crypto';
import type { ClientSettings } from '../../config/settings.js';

/** What a request carries beside its own content. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  /** Form parameters of the body. */
  readonly parameters: Readonly<Record<string, string>>;
}

type KeyAuthentication = Extract<ClientSettings['authentication'], { method: 'private_key_jwt' }>;

/** An assertion is made for one request; this is room for a slow network and a clock that is off. */
const ASSERTION_LIFETIME_SECONDS = 60;

/** The configured credentials are wrong: only the operator can cure it. The message names no secret. */
export class ClientAuthenticationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ClientAuthenticationError';
  }
}

/**
 * @param issuer identifier of the authorization server that is asked.
 * @returns what makes the credentials of one request; an assertion is never used twice.
 *   It throws ClientAuthenticationError where the private key is not one, or not one for its algorithm.
 */
export function clientAuthentication(client: ClientSettings, issuer: string): () => Promise<Credentials> {
  const { clientId, authentication } = client;
  if (authentication.method === 'private_key_jwt') return privateKeyJwt(clientId, authentication, issuer);
  const { method, secret } = authentication;
  const credentials: Credentials =
    method === 'client_secret_basic'
      ? { headers: { authorization: `Basic ${basic(clientId, secret)}` }, parameters: {} }
      : { headers: {}, parameters: { client_id: clientId, client_secret: secret } };
  return () => Promise.resolve(credentials);
}

/** RFC 6749 section 2.3.1: both are form-encoded first, which plain HTTP Basic does not do. */
function basic(clientId: string, secret: string): string {
  return Buffer.from(`${formEncoded(clientId)}:${formEncoded(secret)}`).toString('base64');
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

function privateKeyJwt(
  clientId: string,
  authentication: KeyAuthentication,
  issuer: string,
): () => Promise<Credentials> {
  let key: Promise<CryptoKey> | undefined;
  return async () => {
    try {
      key ??= importPKCS8(authentication.key, authentication.algorithm);
      return credentialsOf(clientId, await assertion(clientId, await key, authentication, issuer));
    } catch (error) {
      throw new ClientAuthenticationError(
        `The private key of the client ${clientId} cannot sign with ${authentication.algorithm}: ${(error as Error).message}`,
      );
    }
  };
}

/**
 * RFC 7523 section 3. The audience is the issuer identifier alone, as its update (draft-ietf-oauth-rfc7523bis) and
 * FAPI 2.0 want it: an endpoint's address comes from a document, and whoever forges that could use the assertion elsewhere.
 */
function assertion(
  clientId: string,
  key: CryptoKey,
  { algorithm, keyId }: KeyAuthentication,
  issuer: string,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: algorithm, ...(keyId !== undefined && { kid: keyId }) })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(issuer)
    .setJti(randomUUID())
    .setIssuedAt(now)
    .setExpirationTime(now + ASSERTION_LIFETIME_SECONDS)
    .sign(key);
}

/** `client_id` is optional here (RFC 7521 section 4.2), and some servers find the client by nothing else. */
function credentialsOf(clientId: string, jwt: string): Credentials {
  return {
    headers: {},
    parameters: {
      client_id: clientId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: jwt,
    },
  };
}
