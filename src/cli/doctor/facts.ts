/**
 * Shown facts of a token: never the token, its signature or personal data. Names of claims, and values that operators
 * configure.
 */
import type { Claims } from '../../auth/presets/presets.js';
import type { UnverifiedJwt } from '../../auth/verify/read-jwt.js';
import type { Principal } from '../../core/principal.js';
import type { Fact } from './report.js';
import {
  duration,
  formatList,
  formatRelativeTime,
  quote,
  escapeControlChars,
} from '../../lib/format-text.js';

const MAX_NAMES = 60;

/** @param jwt undefined for an opaque token, whose claims come from introspection. */
export function tokenFacts(jwt: UnverifiedJwt | undefined, claims: Claims, now: number): Fact[] {
  const header = jwt?.header;
  return [
    ...(header
      ? [
          fact('typ', header.typ === undefined ? 'not there' : quote(header.typ, 40)),
          fact('alg', quote(header.alg, 40)),
          fact('kid', header.kid === undefined ? 'not there' : 'present'),
        ]
      : []),
    fact('iss', quote(claims.iss)),
    fact('aud', quote(claims.aud)),
    fact('sub', claims.sub === undefined ? 'not there' : 'present'),
    fact('times', times(claims, now)),
    fact('claims', names(claims)),
  ];
}

export function principalFacts(principal: Principal, now: number): Fact[] {
  const { acr, authenticatedAt } = principal;
  return [
    fact('kind', principal.kind),
    fact('client', quote(principal.clientId)),
    fact('tenant', principal.tenant === null ? 'none' : quote(principal.tenant)),
    fact('scopes', formatList(principal.scopes)),
    fact('roles', formatList(principal.roles)),
    fact('delegation', delegation(principal)),
    fact('acr', formatList(acr)),
    fact('logged in', authenticatedAt === null ? 'not said' : formatRelativeTime(authenticatedAt, now)),
    fact('expires', formatRelativeTime(principal.expiresAt, now)),
  ];
}

function delegation({ delegation: links, delegationOmitted: omitted }: Principal): string {
  const chain = links.map(({ type }) => type).join(' → ');
  return omitted > 0 ? `${chain} (${omitted} more after the first are not recorded)` : chain;
}

function fact(name: string, value: string): Fact {
  return { name, value };
}

function times({ iat, nbf, exp }: Claims, now: number): string {
  const end = typeof exp === 'number' && exp <= now ? 'expired' : 'expires';
  const said = Object.entries({ issued: iat, 'valid from': nbf, [end]: exp })
    .filter(([, time]) => time !== undefined)
    .map(
      ([name, time]) =>
        `${name} ${typeof time === 'number' ? formatRelativeTime(time, now) : quote(time, 40)}`,
    );
  if (typeof iat === 'number' && typeof exp === 'number') said.push(`lifetime ${duration(exp - iat)}`);
  return said.join(', ') || 'none';
}

function names(claims: Claims): string {
  const all = Object.keys(claims);
  const shown = all.slice(0, MAX_NAMES).map((name) => escapeControlChars(name.slice(0, 100)));
  return shown.join(' ') + (all.length > MAX_NAMES ? ` and ${all.length - MAX_NAMES} more` : '');
}
