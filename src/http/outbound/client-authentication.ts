/** Client authentication at authorization servers (RFC 6749 section 2.3, RFC 7523). */
import { importPKCS8, SignJWT, type CryptoKey } from 'jose';
import { randomUUID } from 'node:crypto';
import type { ClientSettings } from '../../config/settings.js';

/** Credentials of one request. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  /** Form parameters. */
  readonly parameters: Readonly<Record<string, string>>;
}

type KeyAuthentication = Extract<ClientSettings['authentication'], { method: 'private_key_jwt' }>;

/** Allows for network delay and clock difference. */
const ASSERTION_LIFETIME_SECONDS = 60;

/** Invalid client credentials in the configuration. The message contains no secret. */
export class ClientAuthenticationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ClientAuthenticationError';
  }
}

/**
 * @param issuer identifier of the authorization server.
 * @returns a function that creates the credentials of one request; an assertion is used once. It throws
 * ClientAuthenticationError for an invalid private key.
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

/** RFC 6749 section 2.3.1: both parts are form-encoded, unlike in plain HTTP Basic. */
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
 * RFC 7523 section 3. The audience is the issuer identifier only (draft-ietf-oauth-rfc7523bis, FAPI 2.0): a forged
 * metadata document could redirect an assertion with an endpoint as audience.
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

/** `client_id` is optional (RFC 7521 section 4.2), but some servers require it. */
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
