/** Verifies a presented token and returns its principal (RFC 9068 section 4, RFC 8725, RFC 7662). Stateless. */
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Principal } from '../../core/principal.js';
import type { IssuerSettings, Settings } from '../../config/settings.js';
import { checkAudience, checkLifetime, checkTokenKind, checkTimes } from './check-token.js';
import { claimsToPrincipal } from './claims-to-principal.js';
import { introspectedClaims } from '../introspection/introspected-claims.js';
import { IntrospectionService } from '../introspection/introspection.service.js';
import { JwksService } from '../keys/jwks.service.js';
import { namesAnotherIssuer, readJwt, type UnverifiedJwt } from './read-jwt.js';
import { invalidTokenError } from '../token-errors.js';
import { SenderBinding, type Presented } from '../binding/sender-binding.js';
import { signedClaims } from './signed-claims.js';
import { VerifiedTokens, type VerifiedToken } from './verified-tokens.js';

@Injectable()
export class TokenVerifier {
  private readonly issuers: readonly IssuerSettings[];
  private readonly refusesDemoIssuer: boolean;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly jwks: JwksService,
    private readonly introspection: IntrospectionService,
    private readonly binding: SenderBinding,
    private readonly known: VerifiedTokens,
  ) {
    const { issuers, refusesDemoIssuer } = config.get('auth', { infer: true });
    this.issuers = issuers;
    this.refusesDemoIssuer = refusesDemoIssuer;
  }

  /**
   * @param presented the token and the proofs of the request.
   * @throws AppError `token_*` (401) for an invalid token, `identity_unavailable` (503) if its issuer is unavailable.
   */
  async verify(presented: Presented): Promise<Principal> {
    const verified = this.fromCache(presented.token) ?? (await this.verifyUncached(presented.token));
    // Clock and sender are checked at each use, also for cached tokens.
    checkTimes(verified.claims, verified.issuer, Date.now() / 1000);
    const holding = this.binding.verifyBinding(verified, presented);
    if (holding) await holding;
    return verified.principal;
  }

  /** A cached token, while the issuer still publishes its signing key. */
  private fromCache(token: string): VerifiedToken | undefined {
    const verified = this.known.get(token);
    if (!verified || verified.keyId === undefined) return undefined;
    if (this.jwks.holds(verified.issuer, verified.keyId)) return verified;
    this.known.delete(token);
    return undefined;
  }

  private async verifyUncached(token: string): Promise<VerifiedToken> {
    const jwt = readJwt(token);
    const issuer = this.issuerOf(token, jwt);
    const { claims, keyId } =
      issuer.introspection || !jwt
        ? {
            claims: await introspectedClaims(token, jwt, issuer, {
              introspection: this.introspection,
              jwks: this.jwks,
            }),
            keyId: undefined,
          }
        : await signedClaims(token, jwt, issuer, this.jwks);
    if (this.refusesDemoIssuer && claims.demo_issuer === true) {
      throw invalidTokenError('token_issuer', 'The token is of a demo issuer');
    }
    const now = Date.now() / 1000;
    checkAudience(claims, issuer);
    checkTimes(claims, issuer, now);
    checkTokenKind(claims, issuer);
    checkLifetime(claims, issuer, now);
    const verified = { principal: claimsToPrincipal(claims, issuer), claims, issuer, keyId };
    // Introspected tokens have a shorter cache in the introspection client.
    if (keyId !== undefined) this.known.set(token, verified);
    return verified;
  }

  /** Before the signature: a token of an unknown issuer causes no key fetch and is not reported as a forgery. */
  private issuerOf(token: string, jwt: UnverifiedJwt | undefined): IssuerSettings {
    const asked = this.issuers.find(({ introspection }) => introspection);
    const issuer = jwt ? this.issuers.find((one) => one.issuer === jwt.claims.iss) : asked;
    const isSomebodyElses = !jwt && asked !== undefined && namesAnotherIssuer(token, asked.issuer);
    if (issuer && !isSomebodyElses) return issuer;
    throw jwt
      ? invalidTokenError('token_issuer', 'The token is of another issuer')
      : invalidTokenError('token_malformed', 'The token is not a signed JWT');
  }
}
