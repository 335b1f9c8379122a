/** A token in, a principal out, or the reason why not (RFC 9068 section 4, RFC 8725). Stateless. */
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyOptions,
  type ProtectedHeaderParameters,
} from 'jose';
import { AppError } from '../common/app-error.js';
import type { Principal } from '../common/principal.js';
import type { AuthSettings, Settings } from '../config/settings.js';
import { claimsToPrincipal } from './claims-to-principal.js';
import { JwksService } from './jwks.service.js';
import { PRESET_FACTS, type PresetFacts } from './presets.js';
import { refuseToken, type TokenReason } from './refuse-token.js';

/** Claims that an ID token, a logout token or security event, and a DPoP proof have, and an access token never has. */
const FOREIGN_CLAIMS = ['at_hash', 'c_hash', 's_hash', 'events', 'sub_id', 'htm', 'htu', 'ath'];

@Injectable()
export class TokenVerifier {
  private readonly settings: AuthSettings;
  private readonly facts: PresetFacts;
  private readonly tokenTypes: readonly string[];
  private readonly options: JWTVerifyOptions;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly jwks: JwksService,
  ) {
    this.settings = config.get('auth', { infer: true });
    this.facts = PRESET_FACTS[this.settings.preset];
    this.tokenTypes = this.settings.tokenTypes ?? this.facts.tokenTypes;
    this.options = {
      issuer: this.settings.issuer,
      audience: [...this.settings.audience],
      algorithms: [...this.settings.algorithms],
      clockTolerance: this.settings.clockToleranceSeconds,
      requiredClaims: ['exp', 'iat'],
    };
  }

  /**
   * @param token as it came from the `Authorization` header.
   * @throws AppError `token_*` (401) where the token is bad, `identity_unavailable` (503) where its issuer cannot be asked.
   */
  async verify(token: string): Promise<Principal> {
    const { header, unverified } = this.read(token);
    this.checkHeader(header);
    // Before the signature, so that a stranger's token neither asks for our issuer's keys nor is called a forgery.
    if (unverified.iss !== this.settings.issuer)
      throw refuseToken('token_issuer', 'The token is of another issuer');
    const claims = await this.verifySignatureAndClaims(token);
    this.checkNature(claims);
    this.checkTimes(claims);
    return claimsToPrincipal(claims, this.facts, this.settings.audience);
  }

  private read(token: string): { header: ProtectedHeaderParameters; unverified: JWTPayload } {
    try {
      if (!isCanonical(token)) throw new Error('The token is not three segments in their one spelling');
      return { header: decodeProtectedHeader(token), unverified: decodeJwt(token) };
    } catch (error) {
      throw refuseToken('token_malformed', 'The token is not a signed JWT', error);
    }
  }

  private checkHeader(header: ProtectedHeaderParameters): void {
    if (!this.settings.algorithms.includes(header.alg as string)) {
      throw refuseToken('token_algorithm', 'The token is signed with an algorithm that is not accepted');
    }
    if (header.crit !== undefined)
      throw refuseToken('token_malformed', 'The token has critical header extensions');
    if (!this.acceptsType(header.typ)) throw refuseToken('token_type', 'The token is not an access token');
  }

  /** `none` on the list stands for no `typ` at all, and for nothing that a token can say. */
  private acceptsType(typ: unknown): boolean {
    if (typ === undefined) return this.tokenTypes.includes('none');
    if (typeof typ !== 'string') return false;
    const type = typ.toLowerCase().replace(/^application\//, '');
    return type !== 'none' && this.tokenTypes.includes(type);
  }

  private async verifySignatureAndClaims(token: string): Promise<JWTPayload> {
    try {
      return await this.verifyWithKeys(token);
    } catch (error) {
      throw error instanceof AppError ? error : toRefusal(error);
    }
  }

  private async verifyWithKeys(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(token, (header, jws) => this.jwks.key(header, jws), this.options);
      return payload;
    } catch (error) {
      // A token without `kid`, where the issuer has several keys of its kind: any of them may have signed it.
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, this.options)).payload;
        } catch (next) {
          if (!(next instanceof errors.JWSSignatureVerificationFailed)) throw next;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }

  /** After the signature: these are reasons why a genuine token of the issuer is not one for this server. */
  private checkNature(claims: JWTPayload): void {
    if (FOREIGN_CLAIMS.some((name) => claims[name] !== undefined) || this.facts.isForeign(claims)) {
      throw refuseToken('token_type', 'The token is not an access token');
    }
    if (claims.cnf !== undefined) {
      throw refuseToken(
        'token_binding',
        'The token is bound to a key and cannot be used as a plain bearer token',
      );
    }
  }

  /** What jose leaves open: `iat` in the future, and the whole lifetime. Types were checked by jose. */
  private checkTimes(claims: JWTPayload): void {
    const issuedAt = claims.iat as number;
    const lifetime = (claims.exp as number) - issuedAt;
    if (issuedAt > Date.now() / 1000 + this.settings.clockToleranceSeconds) {
      throw refuseToken('token_not_yet_valid', 'The token was issued in the future');
    }
    if (lifetime <= 0) throw refuseToken('token_claims', 'The token expires before it was issued');
    const maximum = this.settings.maxTokenLifetimeSeconds;
    if (maximum > 0 && lifetime > maximum) {
      throw refuseToken('token_lifetime', 'The token lives longer than is accepted here');
    }
  }
}

/** RFC 7515 section 2: base64url without padding. A second spelling of one token would slip past whoever keeps a list. */
function isCanonical(token: string): boolean {
  const segments = token.split('.');
  return (
    segments.length === 3 &&
    segments.every((text) => Buffer.from(text, 'base64url').toString('base64url') === text)
  );
}

/** jose's errors, by its stable codes, in the words of the closed list. */
function toRefusal(error: unknown): AppError {
  if (error instanceof errors.JWTExpired) return refuseToken('token_expired', 'The token has expired', error);
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error);
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return refuseToken(
      'token_algorithm',
      'The token is signed with an algorithm that is not accepted',
      error,
    );
  }
  if (
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JOSENotSupported
  ) {
    return refuseToken('token_signature', 'The signature of the token cannot be verified', error);
  }
  return refuseToken('token_malformed', 'The token is not a signed JWT', error);
}

function claimRefusal(error: errors.JWTClaimValidationFailed): AppError {
  const byClaim: Readonly<Record<string, [TokenReason, string]>> = {
    iss: ['token_issuer', 'The token is of another issuer'],
    aud: ['token_audience', 'The token is not meant for this server'],
    nbf: ['token_not_yet_valid', 'The token is not valid yet'],
  };
  const known = error.claim === 'nbf' && error.reason !== 'check_failed' ? undefined : byClaim[error.claim];
  const [reason, message] = known ?? ['token_claims', 'A claim of the token is missing or not of its type'];
  return refuseToken(reason, message, error);
}
