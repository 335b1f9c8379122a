/** Verified claims in, principal out; odd claim types are refused, not guessed at. Pure. */
import type { DelegationLink, Principal } from '../../core/principal.js';
import { readClaim } from '../../lib/claim-path.js';
import { displayName } from '../../core/display-name.js';
import { isJsonObject } from '../../lib/json.js';
import { isWellFormed } from '../../lib/well-formed.js';
import type { IssuerSettings } from '../../config/settings.js';
import { PRESET_FACTS, type Claims, type PresetFacts } from '../presets/presets.js';
import { invalidTokenError } from '../token-errors.js';

/** So many actors are kept: those who acted last. How many others there were is kept, too. */
export const MAX_ACTORS = 10;

/**
 * @param claims of a token whose signature, issuer, audience and times were checked; nothing of that is checked here.
 * @param settings of its issuer: places that they name are read in place of the preset's.
 * @throws AppError `token_claims` where a claim is missing or of another type than its specification says.
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

/** RFC 9068 section 2.2: the subject is the client itself; or a provider's own mark says so. */
function isWorkload(claims: Claims, subject: string, clientId: string, facts: PresetFacts): boolean {
  return (
    subject === clientId ||
    claims.idtyp === 'app' ||
    claims.gty === 'client-credentials' ||
    claims.gty === 'client_credentials' ||
    facts.isWorkload(claims)
  );
}

/** A scope string (RFC 6749 section 3.3), or the array of strings that some providers send; by the names that code uses. */
function scopesOf(value: unknown, prefix: string): string[] {
  if (value === undefined) return [];
  const scopes = typeof value === 'string' ? value.split(' ') : value;
  if (!isTexts(scopes))
    throw invalidTokenError('token_claims', 'The scope claim is neither a string nor a list of strings');
  const named = scopes.map((scope) => (scope.startsWith(prefix) ? scope.slice(prefix.length) : scope));
  return [...new Set(named.filter((scope) => scope !== ''))];
}

/** By the names that code uses: with a role map, what it does not name is no role. */
function rolesOf(claims: Claims, settings: IssuerSettings, facts: PresetFacts): string[] {
  const { claims: own, roleMap, audience } = settings;
  const isNamed = own.roles !== undefined;
  const may = { single: facts.singleRole || isNamed, keys: isNamed };
  const values = [
    ...(own.roles ?? facts.roles).map((place) => readClaim(claims, place)),
    ...(isNamed ? [] : facts.moreRoles(claims, audience)),
  ];
  const ids = isNamed || !roleMap ? [] : facts.roleIds.map((place) => readClaim(claims, place));
  // An id is one text whatever is in it: a separator in an address must not make two of it.
  const whole = { ...settings, rolesSeparator: undefined };
  const roles = [
    ...values.flatMap((value) => rolesIn(value, settings, may)),
    ...ids.flatMap((value) => rolesIn(value, whole, may)),
  ];
  return [...new Set(roleMap ? roles.flatMap((role) => roleMap.get(role) ?? []) : roles)];
}

/**
 * A list of roles; one text, where that may be one role or has a separator; or an object whose keys are the roles, where
 * the operator named the claim.
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
      'A role claim is one text and not a list: the setting roles_separator accepts it',
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
 * Zitadel: each role is the name of a member, and its value holds the organizations that grant it, by id.
 * @returns undefined where it is another kind of object: the names of its members are no roles.
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

/** OpenID Connect Core 1.0 section 2 has one; Entra ID a list. */
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

/** What revocations of more than one token go by. */
function sessionOf({ sid, iat }: Claims): Pick<Principal, 'sessionId' | 'issuedAt'> {
  return {
    ...(typeof sid === 'string' && sid !== '' && { sessionId: sid }),
    ...(typeof iat === 'number' && Number.isFinite(iat) && { issuedAt: iat }),
  };
}

/** RFC 8693 section 4.1: the outermost `act` is the current actor, the ones nested in it acted before. */
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
  // As the token nests them: the last one first.
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
    throw invalidTokenError('token_claims', `The token has no usable ${name} claim`);
  }
  return value;
}

function optionalText(value: unknown, name: string): string | null {
  return value === undefined || value === null ? null : text(value, name);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && isWellFormed(item));
}
