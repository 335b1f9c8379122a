/** Each check of the server made on its own, with the server's functions, so that one that fails hides no other. Pure. */
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

/** In the order of the verifier: the first that fails is the reason that a client gets. */
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

/** What there is to judge. */
export interface Evidence {
  readonly token: string;
  /** Undefined: the token says nothing by itself. */
  readonly jwt: UnverifiedJwt | undefined;
  /** The issuer whose settings judge the token; undefined where there is none that it could be. */
  readonly issuer: IssuerSettings | undefined;
  /** False: the token is of none of the issuers, and `issuer` is only the one that it most looks like. */
  readonly isOfIssuer: boolean;
  /** Claims whose signature, or whose issuer, was asked; or why there are none. Undefined: nobody was asked. */
  readonly signatureCheck: { readonly claims: Claims } | { readonly error: AppError } | undefined;
  /** Whether a certificate of the client can ever reach this server. */
  readonly seesCertificates: boolean;
  /** In seconds since the epoch. */
  readonly now: number;
}

export interface CheckReport {
  readonly outcomes: readonly Outcome[];
  /** What the token says, or what its issuer says of it; believed only where no check fails. */
  readonly claims: Claims | undefined;
  readonly principal: Principal | undefined;
  /** The key or certificate that its sender will have to show. */
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

/** The reason that the server gives for these outcomes; null where it accepts the token. */
export function reasonOf(outcomes: readonly Outcome[]): ErrorCode | null {
  return outcomes.find(({ state }) => state === 'fail')?.reason ?? null;
}

function checkForm({ token, jwt, issuer, isOfIssuer }: Evidence): Outcome {
  return attempt('form', () => {
    readCredential([`Bearer ${token}`], []);
    if (jwt) return 'a signed JWT';
    if (isOfIssuer && issuer?.introspection) return 'opaque: its issuer is asked about it';
    throw invalidTokenError('token_malformed', 'The token is not a signed JWT');
  });
}

function checkIssuer({ jwt, issuer, isOfIssuer }: Evidence): Outcome {
  if (!jwt) {
    return isOfIssuer
      ? { check: 'issuer', state: 'ok', message: 'the one that is asked about tokens' }
      : { check: 'issuer', state: 'not checked', message: 'nothing could be read' };
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
  if (!isOfIssuer) return { check, state: 'not checked', message: 'keys of another issuer are never tried' };
  if (!signatureCheck) return { check, state: 'not checked', message: 'no key is tried with this algorithm' };
  return 'error' in signatureCheck
    ? failure(check, signatureCheck.error)
    : { check, state: 'ok', message: 'fits a key of the issuer' };
}

function checkAnswer({ isOfIssuer, signatureCheck }: Evidence): Outcome {
  const check = 'introspection';
  if (!isOfIssuer || !signatureCheck) {
    return { check, state: 'not checked', message: 'a token is never shown to an issuer that it is not of' };
  }
  return 'error' in signatureCheck
    ? failure(check, signatureCheck.error)
    : { check, state: 'ok', message: 'its issuer says: active' };
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
      return 'meant for this server';
    }),
    attempt('times', () => {
      checkTimes(claims, issuer, now);
      return 'valid now';
    }),
    attempt('kind', () => {
      checkTokenKind(claims, issuer);
      return 'no mark of anything but an access token';
    }),
    attempt('lifetime', () => {
      checkLifetime(claims, issuer, now);
      return 'not longer than is accepted';
    }),
    attempt('claims', () => {
      principal = claimsToPrincipal(claims, issuer);
      return 'all that a principal needs';
    }),
    attempt('binding', () => {
      bound = checkBinding(claims, issuer, seesCertificates);
      return bindingWords(bound);
    }),
  ];
  return { outcomes: [...before, ...outcomes], principal, bound };
}

/** As if the sender had shown whatever the token is bound to: whether it can do that is not the token's to say. */
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
    mtls && 'bound to a certificate: the client must connect with it',
  ].filter((text) => text !== false);
  return words.join('; ') || 'bound to nothing: whoever has the token can use it';
}

/** The thumbprint that a token is bound to, where it is a text. */
export function memberOf(cnf: unknown, name: 'jkt' | 'x5t#S256'): string | undefined {
  const value = isJsonObject(cnf) ? cnf[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

function unread(check: CheckName): Outcome {
  return { check, state: 'not checked', message: 'nothing could be read' };
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
