/** Examines a token with the checks of the server, one by one, and then as a request. */
import { claimsToPrincipal } from '../../auth/verify/claims-to-principal.js';
import { readJwt } from '../../auth/verify/read-jwt.js';
import { rootMessage } from '../../lib/root-cause.js';
import type { Principal } from '../../core/principal.js';
import { advise, remark } from './advice.js';
import { runChecks, memberOf, type Evidence, type CheckReport, type Outcome } from './checks.js';
import { seesCertificates, type Deployment } from './deployment.js';
import { principalFacts, tokenFacts } from './facts.js';
import { nearestIssuer, type NearestIssuer } from './nearest-issuer.js';
import type { Pasted } from './pasted.js';
import { verifyWithServerCode, publishedKids, verify } from './verify-with-server-code.js';
import { providerOf } from './providers.js';
import type { Line, Report, Section } from './report.js';
import type { DiagnosticContext } from './diagnostic-context.js';
import { verdictOf } from './verdict.js';

export async function examineToken({ token, removed }: Pasted, deployment: Deployment): Promise<Report> {
  const { settings } = deployment;
  const jwt = readJwt(token);
  const nearest = nearestIssuer(jwt, settings.auth.issuers);
  const evidence: Evidence = {
    token,
    jwt,
    ...nearest,
    signatureCheck: nearest.isOfIssuer
      ? await verifyWithServerCode(token, jwt, nearest.issuer, deployment)
      : undefined,
    seesCertificates: seesCertificates(settings),
    now: Date.now() / 1000,
  };
  const checkReport = runChecks(evidence);
  const context = await toDiagnosticContext(evidence, checkReport, nearest, deployment);
  const certificate = evidence.seesCertificates ? memberOf(context.claims.cnf, 'x5t#S256') : undefined;
  const answer = await verify(token, certificate, deployment);
  const { principal, ...verdict } = verdictOf(checkReport, answer, context.provider);
  return {
    ...verdict,
    sections: [
      tokenSection(context, removed),
      {
        title: 'The checks, in the order of the server',
        lines: checkLines(checkReport.outcomes, context, nearest),
      },
      ...(principal ? [principalSection(principal, context)] : []),
    ],
  };
}

async function toDiagnosticContext(
  { token, jwt, signatureCheck, seesCertificates: certificates, now }: Evidence,
  { claims = {}, outcomes }: CheckReport,
  { issuer, isOfIssuer }: NearestIssuer,
  deployment: Deployment,
): Promise<DiagnosticContext> {
  const { settings, setting } = deployment;
  const isUnsigned = outcomes.some(({ reason }) => reason === 'token_signature');
  return {
    token,
    jwt,
    claims,
    issuer,
    provider: providerOf(claims, issuer, isOfIssuer),
    publishedKids: isUnsigned ? await publishedKids(issuer, deployment) : undefined,
    reason: undefined,
    cause: signatureCheck && 'error' in signatureCheck ? rootMessage(signatureCheck.error) : undefined,
    setting,
    resource: settings.server.resource,
    requireHuman: settings.policy.requireHuman,
    seesCertificates: certificates,
    now,
  };
}

function tokenSection({ token, jwt, claims, now }: DiagnosticContext, removed: readonly string[]): Section {
  const isReadable = isChecked({ jwt, claims });
  const size = `${token.length} characters in ${token.split('.').length} part(s)`;
  const pasted: Line = {
    state: 'warn',
    name: 'pasted',
    message: `removed before the checks: ${removed.join(', ')}. The server rejects a request that contains them (request_malformed).`,
  };
  return {
    title: jwt || !isReadable ? 'The token' : 'The token, as its issuer describes it',
    facts: isReadable ? tokenFacts(jwt, claims, now) : [{ name: 'opaque', value: size }],
    lines: removed.length > 0 ? [pasted] : [],
  };
}

/** Each advice once: one mistake fails several checks. */
function checkLines(
  outcomes: readonly Outcome[],
  context: DiagnosticContext,
  { issuer, isOfIssuer }: NearestIssuer,
): Line[] {
  const given = new Set<string>();
  const lines = outcomes.map(({ check, ...outcome }): Line => {
    const { reason } = outcome;
    const advice = outcome.state === 'fail' ? advise(check, { ...context, reason }) : undefined;
    const isNew = advice && !given.has(advice.rule);
    if (isNew) given.add(advice.rule);
    return { name: check, ...outcome, ...(isNew && { advice }) };
  });
  if (!isChecked(context)) return restInOne(lines);
  if (isOfIssuer || !context.jwt) return lines;
  const note: Line = {
    name: 'note',
    state: 'warn',
    message: `from an unknown issuer: the other checks use the settings of ${issuer.issuer}`,
  };
  return lines.flatMap((line) => (line.name === 'issuer' ? [line, note] : [line]));
}

/** True if more than the raw text can be judged. */
function isChecked({ jwt, claims }: Pick<DiagnosticContext, 'jwt' | 'claims'>): boolean {
  return jwt !== undefined || Object.keys(claims).length > 0;
}

/** Groups lines without information, so that the important line is visible. */
function restInOne(lines: readonly Line[]): Line[] {
  const rest: Line = { name: 'the rest', state: 'not checked', message: 'the token is not readable' };
  return [...lines.filter(({ state }) => state !== 'not checked'), rest];
}

function principalSection(principal: Principal, context: DiagnosticContext): Section {
  const providerRoles = rolesBeforeMap(context);
  const notes = remark({ ...context, principal, providerRoles });
  return {
    title: 'The principal',
    facts: principalFacts(principal, context.now),
    lines: notes.map((advice): Line => ({ state: 'warn', name: advice.rule, message: '', advice })),
  };
}

/** Role names of the provider, without the role map. Empty without a map. */
function rolesBeforeMap({ claims, issuer }: DiagnosticContext): readonly string[] {
  return issuer.roleMap ? claimsToPrincipal(claims, { ...issuer, roleMap: new IdentityRoleMap() }).roles : [];
}

class IdentityRoleMap extends Map<string, string> {
  override get(name: string): string {
    return name;
  }
}
