/** Maps verified claims to a principal and rejects unexpected types. Pure. */
import type { DelegationLink, Principal } from '../../core/principal.js';
import { readClaim } from '../../lib/claim-path.js';
import { displayName } from '../../core/display-name.js';
import { isJsonObject } from '../../lib/json.js';
import { isWellFormed } from '../../lib/well-formed.js';
import type { IssuerSettings } from '../../config/settings.js';
import { PRESET_FACTS, type Claims, type PresetFacts } from '../presets/presets.js';
import { invalidTokenError } from '../token-errors.js';

/** Maximum number of recorded actors, the latest ones. The number of omitted actors is kept. */
export const MAX_ACTORS = 10;

/**
 * @param claims of a token with verified signature, issuer, audience and times.
 * @param settings of the issuer; its claim names replace those of the preset.
 * @throws AppError `token_claims` if a claim is missing or has another type than its specification.
 */
export function claimsToPrincipal(claims: Claims, settings: IssuerSettings): Principal {
  const facts = PRESET_FACTS[settings.preset];
  const places = { ...facts, ...settings.claims };
  const issuer = text(claims.iss, 'iss');
  const subject = text(claims.sub, 'sub');
  const clientId = text(firstPresent(claims, places.clientId), places.clientId.join(' or '));
  const kind = isWorkload(claims, subject, clientId, facts) ? 'workload' : 'human';
  return {
    issuer,
    subject,
    ...nameOf(claims, settings),
    kind,
    clientId,
    tenant: optionalText(firstPresent(claims, places.tenant), places.tenant.join(' or ')),
    scopes: scopesOf(firstPresent(claims, places.scopes), settings.scopePrefix),
    roles: rolesOf(claims, settings, facts),
    acr: acrOf(claims, facts),
    authenticatedAt: authenticatedAt(claims.auth_time),
    tokenId: optionalText(claims.jti, 'jti'),
    ...sessionOf(claims),
    expiresAt: claims.exp as number,
    ...delegationOf(
      claims.act,
      { sub: subject, iss: issuer, type: kind === 'human' ? 'human' : 'client' },
      clientId,
    ),
  };
}

function nameOf(claims: Claims, { displayClaim }: IssuerSettings): Pick<Principal, 'displayName'> {
  const name = displayClaim === undefined ? undefined : displayName(readClaim(claims, displayClaim));
  return name === undefined ? {} : { displayName: name };
}

/** The subject equals the client (RFC 9068 section 2.2), or the token has the workload mark of the provider. */
function isWorkload(claims: Claims, subject: string, clientId: string, facts: PresetFacts): boolean {
  return (
    subject === clientId ||
    claims.idtyp === 'app' ||
    claims.gty === 'client-credentials' ||
    claims.gty === 'client_credentials' ||
    facts.isWorkload(claims)
  );
}

/** Scope string (RFC 6749 section 3.3) or array of strings, as names of access rules. */
function scopesOf(value: unknown, prefix: string): string[] {
  if (value === undefined) return [];
  const scopes = typeof value === 'string' ? value.split(' ') : value;
  if (!isTexts(scopes))
    throw invalidTokenError('token_claims', 'The scope claim is neither a string nor a list of strings');
  const named = scopes.map((scope) => (scope.startsWith(prefix) ? scope.slice(prefix.length) : scope));
  return [...new Set(named.filter((scope) => scope !== ''))];
}

/** Names of access rules. With a role map, unmapped roles are dropped. */
function rolesOf(claims: Claims, settings: IssuerSettings, facts: PresetFacts): string[] {
  const { claims: own, roleMap, audience } = settings;
  const isNamed = own.roles !== undefined;
  const may = { single: facts.singleRole || isNamed, keys: isNamed };
  const values = [
    ...(own.roles ?? facts.roles).map((place) => readClaim(claims, place)),
    ...(isNamed ? [] : facts.moreRoles(claims, audience)),
  ];
  const ids = isNamed || !roleMap ? [] : facts.roleIds.map((place) => readClaim(claims, place));
  // An id is one string: a separator inside an address must not split it.
  const whole = { ...settings, rolesSeparator: undefined };
  const roles = [
    ...values.flatMap((value) => rolesIn(value, settings, may)),
    ...ids.flatMap((value) => rolesIn(value, whole, may)),
  ];
  return [...new Set(roleMap ? roles.flatMap((role) => roleMap.get(role) ?? []) : roles)];
}

/**
 * A list of roles; one string, if that may be one role or has a separator; or an object with role names as keys, for
 * a configured claim.
 */
function rolesIn(
  value: unknown,
  { rolesSeparator: separator, roleOrganizations }: IssuerSettings,
  may: { readonly single: boolean; readonly keys: boolean },
): readonly string[] {
  if (value === undefined) return [];
  if (isTexts(value)) return value;
  if (typeof value === 'string' && isWellFormed(value)) {
    if (separator !== undefined) return separated(value, separator);
    if (may.single) return [value];
    throw invalidTokenError(
      'token_claims',
      'A role claim is one string instead of a list: set roles_separator to accept it',
    );
  }
  const granted = may.keys ? grantedRoles(value, roleOrganizations) : undefined;
  if (granted) return granted;
  throw invalidTokenError('token_claims', 'A role claim is not a list of strings');
}

function separated(text: string, separator: string): string[] {
  return text
    .split(separator)
    .map((role) => role.trim())
    .filter((role) => role !== '');
}

/**
 * Zitadel: member names are roles, values contain the granting organizations by id.
 * @returns undefined for another kind of object.
 */
function grantedRoles(value: unknown, organizations: readonly string[] | undefined): string[] | undefined {
  if (!isJsonObject(value)) return undefined;
  const grants = Object.entries(value);
  const areGrants = grants.every(
    ([role, by]) =>
      isWellFormed(role) &&
      isJsonObject(by) &&
      Object.values(by).every((domain) => typeof domain === 'string'),
  );
  if (!areGrants) return undefined;
  return grants
    .filter(([, by]) => Object.keys(by as Claims).some((id) => organizations?.includes(id) ?? true))
    .map(([role]) => role);
}

/** OpenID Connect Core 1.0 section 2 has one; Entra ID has a list. */
function acrOf(claims: Claims, facts: PresetFacts): string[] {
  const values = facts.acr
    .map((name) => claims[name])
    .filter((value) => value !== undefined)
    .flat();
  if (!isTexts(values))
    throw invalidTokenError('token_claims', 'The acr claim is neither a string nor a list of strings');
  return [...new Set(values)];
}

function authenticatedAt(value: unknown): number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw invalidTokenError('token_claims', 'The auth_time claim is not a number');
}

/** Members for revocations of several tokens. */
function sessionOf({ sid, iat }: Claims): Pick<Principal, 'sessionId' | 'issuedAt'> {
  return {
    ...(typeof sid === 'string' && sid !== '' && { sessionId: sid }),
    ...(typeof iat === 'number' && Number.isFinite(iat) && { issuedAt: iat }),
  };
}

/** RFC 8693 section 4.1: the outermost `act` is the current actor; nested ones acted before. */
function delegationOf(
  act: unknown,
  root: DelegationLink,
  clientId: string,
): Pick<Principal, 'delegation' | 'delegationOmitted'> {
  const actors: DelegationLink[] = [];
  for (let actor = act; actor !== undefined; actor = (actor as Claims).act) {
    if (!isJsonObject(actor)) {
      throw invalidTokenError('token_claims', 'The act claim is not an object');
    }
    const { sub, iss } = actor as Claims;
    actors.push({
      sub: text(sub, 'act.sub'),
      iss: optionalText(iss, 'act.iss') ?? root.iss,
      type: 'agent',
    });
  }
  // Tokens nest the last actor first.
  const chain = [root, ...actors.slice(0, MAX_ACTORS).reverse()];
  const last = chain.at(-1);
  const named = (last?.sub === clientId && last.iss === root.iss) || root.sub === clientId;
  return {
    delegation: named ? chain : [...chain, { sub: clientId, iss: root.iss, type: 'client' }],
    delegationOmitted: Math.max(0, actors.length - MAX_ACTORS),
  };
}

function firstPresent(claims: Claims, places: readonly string[]): unknown {
  return places.map((place) => readClaim(claims, place)).find((value) => value !== undefined);
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value.trim() === '' || !isWellFormed(value)) {
    throw invalidTokenError('token_claims', `The token has no valid ${name} claim`);
  }
  return value;
}

function optionalText(value: unknown, name: string): string | null {
  return value === undefined || value === null ? null : text(value, name);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && isWellFormed(item));
}
