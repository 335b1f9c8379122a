/** Runs each check of the server separately, so that one failure hides no other. Pure. */
import {
  checkAlgorithm,
  checkAudience,
  checkLifetime,
  checkTokenKind,
  checkTimes,
  checkType,
} from '../../auth/verify/check-token.js';
import { claimsToPrincipal } from '../../auth/verify/claims-to-principal.js';
import { checkBound, confirm, type Confirmation } from '../../auth/binding/confirmation.js';
import { readCredential } from '../../auth/credential.js';
import type { Claims } from '../../auth/presets/presets.js';
import type { UnverifiedJwt } from '../../auth/verify/read-jwt.js';
import { invalidTokenError } from '../../auth/token-errors.js';
import { AppError, type ErrorCode } from '../../core/app-error.js';
import type { Principal } from '../../core/principal.js';
import type { IssuerSettings } from '../../config/settings.js';
import { textOf } from './diagnostic-context.js';
import { isJsonObject } from '../../lib/json.js';

/** In the order of the verifier; the first failure is the reason for a client. */
export type CheckName =
  | 'form'
  | 'issuer'
  | 'algorithm'
  | 'type'
  | 'signature'
  | 'introspection'
  | 'audience'
  | 'times'
  | 'kind'
  | 'lifetime'
  | 'claims'
  | 'binding';

export interface Outcome {
  readonly check: CheckName;
  readonly state: 'ok' | 'fail' | 'not checked';
  readonly reason?: ErrorCode;
  readonly message: string;
}

/** Facts to judge. */
export interface Evidence {
  readonly token: string;
  /** Undefined for an opaque token. */
  readonly jwt: UnverifiedJwt | undefined;
  /** Issuer whose settings apply; undefined without a candidate. */
  readonly issuer: IssuerSettings | undefined;
  /** False: the token is of no configured issuer, and `issuer` is the most similar one. */
  readonly isOfIssuer: boolean;
  /** Claims after signature check or introspection, or the error. Undefined: not requested. */
  readonly signatureCheck: { readonly claims: Claims } | { readonly error: AppError } | undefined;
  /** True if a client certificate can reach this server. */
  readonly seesCertificates: boolean;
  /** Unix time in seconds. */
  readonly now: number;
}

export interface CheckReport {
  readonly outcomes: readonly Outcome[];
  /** Claims of the token or of introspection; trusted only without a failed check. */
  readonly claims: Claims | undefined;
  readonly principal: Principal | undefined;
  /** Required key or certificate of the sender. */
  readonly bound: Confirmation;
}

const UNBOUND: Confirmation = { dpop: false, mtls: false };

export function runChecks(evidence: Evidence): CheckReport {
  const { jwt, issuer, signatureCheck } = evidence;
  const asked = issuer?.introspection !== undefined;
  const claims = signatureCheck && 'claims' in signatureCheck ? signatureCheck.claims : jwt?.claims;
  const first = [checkForm(evidence), checkIssuer(evidence)];
  const second = asked ? [checkAnswer(evidence)] : [...checkHeader(jwt, issuer), checkSignature(evidence)];
  return { ...checkClaims(claims, evidence, [...first, ...second]), claims };
}

/** Reason of the server for these outcomes; null if it accepts the token. */
export function reasonOf(outcomes: readonly Outcome[]): ErrorCode | null {
  return outcomes.find(({ state }) => state === 'fail')?.reason ?? null;
}

function checkForm({ token, jwt, issuer, isOfIssuer }: Evidence): Outcome {
  return attempt('form', () => {
    readCredential([`Bearer ${token}`], []);
    if (jwt) return 'a signed JWT';
    if (isOfIssuer && issuer?.introspection) return 'opaque: verified by introspection';
    throw invalidTokenError('token_malformed', 'The token is not a signed JWT');
  });
}

function checkIssuer({ jwt, issuer, isOfIssuer }: Evidence): Outcome {
  if (!jwt) {
    return isOfIssuer
      ? { check: 'issuer', state: 'ok', message: 'the issuer with introspection' }
      : { check: 'issuer', state: 'not checked', message: 'the token is not readable' };
  }
  if (isOfIssuer) return { check: 'issuer', state: 'ok', message: issuer?.issuer ?? '' };
  return attempt('issuer', () => {
    throw invalidTokenError('token_issuer', 'The token is of another issuer');
  });
}

function checkHeader(jwt: UnverifiedJwt | undefined, issuer: IssuerSettings | undefined): Outcome[] {
  if (!jwt || !issuer) return (['algorithm', 'type'] as const).map(unread);
  const { alg, typ } = jwt.header;
  return [
    attempt('algorithm', () => {
      checkAlgorithm(jwt.header, issuer);
      return textOf(alg);
    }),
    attempt('type', () => {
      checkType(jwt.header, issuer);
      return typ === undefined ? 'none, which is accepted' : textOf(typ);
    }),
  ];
}

function checkSignature({ jwt, isOfIssuer, signatureCheck }: Evidence): Outcome {
  const check = 'signature';
  if (!jwt) return unread(check);
  if (!isOfIssuer)
    return { check, state: 'not checked', message: 'the doctor tries no key of another issuer' };
  if (!signatureCheck)
    return { check, state: 'not checked', message: 'the doctor tries no key with this algorithm' };
  return 'error' in signatureCheck
    ? failure(check, signatureCheck.error)
    : { check, state: 'ok', message: 'matches a key of the issuer' };
}

function checkAnswer({ isOfIssuer, signatureCheck }: Evidence): Outcome {
  const check = 'introspection';
  if (!isOfIssuer || !signatureCheck) {
    return { check, state: 'not checked', message: 'the doctor never sends a token to another issuer' };
  }
  return 'error' in signatureCheck
    ? failure(check, signatureCheck.error)
    : { check, state: 'ok', message: 'the issuer reports: active' };
}

function checkClaims(
  claims: Claims | undefined,
  { issuer, now, seesCertificates }: Evidence,
  before: readonly Outcome[],
): Omit<CheckReport, 'claims'> {
  if (!claims || !issuer) {
    const rest = (['audience', 'times', 'kind', 'lifetime', 'claims', 'binding'] as const).map(unread);
    return { outcomes: [...before, ...rest], principal: undefined, bound: UNBOUND };
  }
  let principal: Principal | undefined;
  let bound = UNBOUND;
  const outcomes = [
    attempt('audience', () => {
      checkAudience(claims, issuer);
      return 'this server';
    }),
    attempt('times', () => {
      checkTimes(claims, issuer, now);
      return 'valid now';
    }),
    attempt('kind', () => {
      checkTokenKind(claims, issuer);
      return 'an access token';
    }),
    attempt('lifetime', () => {
      checkLifetime(claims, issuer, now);
      return 'within the limit';
    }),
    attempt('claims', () => {
      principal = claimsToPrincipal(claims, issuer);
      return 'complete';
    }),
    attempt('binding', () => {
      bound = checkBinding(claims, issuer, seesCertificates);
      return bindingWords(bound);
    }),
  ];
  return { outcomes: [...before, ...outcomes], principal, bound };
}

/** Assumes that the sender has the key or certificate, which the token cannot show. */
function checkBinding(claims: Claims, issuer: IssuerSettings, seesCertificates: boolean): Confirmation {
  const { cnf } = claims;
  const bound = confirm(cnf, {
    proofThumbprint: memberOf(cnf, 'jkt'),
    certificateThumbprint: memberOf(cnf, 'x5t#S256'),
  });
  if (bound.mtls && !seesCertificates) {
    throw invalidTokenError(
      'token_binding',
      'The token is bound to a client certificate, and none ever reaches this server',
    );
  }
  checkBound(bound, claims.token_type, issuer);
  return bound;
}

function bindingWords({ dpop, mtls }: Confirmation): string {
  const words = [
    dpop && 'bound to a key: the client must send a proof with each request (the DPoP scheme)',
    mtls && 'bound to a certificate: the client must connect with this certificate',
  ].filter((text) => text !== false);
  return words.join('; ') || 'not bound: every holder of the token can use it';
}

/** Thumbprint of the binding, if it is a string. */
export function memberOf(cnf: unknown, name: 'jkt' | 'x5t#S256'): string | undefined {
  const value = isJsonObject(cnf) ? cnf[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

function unread(check: CheckName): Outcome {
  return { check, state: 'not checked', message: 'the token is not readable' };
}

function attempt(check: CheckName, run: () => string): Outcome {
  try {
    return { check, state: 'ok', message: run() };
  } catch (error) {
    if (error instanceof AppError) return failure(check, error);
    throw error;
  }
}

function failure(check: CheckName, { code, message }: AppError): Outcome {
  return { check, state: 'fail', reason: code, message: message };
}
