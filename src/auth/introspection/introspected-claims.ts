/** The claims of a token that its issuer is asked about, completed from the token where the answer names no audience. */
import type { IssuerSettings } from '../../config/settings.js';
import { completeClaims } from '../verify/complete-claims.js';
import { withSubject } from './introspection-client.js';
import type { IntrospectionService } from './introspection.service.js';
import type { JwksService } from '../keys/jwks.service.js';
import type { Claims } from '../presets/presets.js';
import type { UnverifiedJwt } from '../verify/read-jwt.js';
import { signedClaims } from '../verify/signed-claims.js';

/**
 * RFC 7662 makes `aud` optional. A JWT says itself whom it is for, so its signature is verified then, and it gives what
 * the answer leaves out. An opaque token without an audience is for the settings of its issuer to accept.
 * @throws AppError as `Introspection.claims`, `signedClaims` and `completeClaims`.
 */
export async function introspectedClaims(
  token: string,
  jwt: UnverifiedJwt | undefined,
  issuer: IssuerSettings,
  {
    introspection,
    jwks,
  }: { introspection: Pick<IntrospectionService, 'claims' | 'activeClaims'>; jwks: JwksService },
): Promise<Claims> {
  if (!jwt) return introspection.claims(token);
  const answer = await introspection.activeClaims(token);
  if (answer.aud !== undefined) return withSubject(answer);
  const { claims } = await signedClaims(token, jwt, issuer, jwks);
  return withSubject(completeClaims(answer, claims));
}
