/** Claims of an introspected token, completed from a signed JWT if the response has no audience. */
import type { IssuerSettings } from '../../config/settings.js';
import { completeClaims } from '../verify/complete-claims.js';
import { withSubject } from './introspection-client.js';
import type { IntrospectionService } from './introspection.service.js';
import type { JwksService } from '../keys/jwks.service.js';
import type { Claims } from '../presets/presets.js';
import type { UnverifiedJwt } from '../verify/read-jwt.js';
import { signedClaims } from '../verify/signed-claims.js';

/**
 * RFC 7662 makes `aud` optional. For a JWT without it in the response, the signature is verified and the token
 * supplies the missing claims. For an opaque token `accept_missing_audience` decides.
 * @throws AppError like `activeClaims`, `signedClaims` and `completeClaims`.
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
