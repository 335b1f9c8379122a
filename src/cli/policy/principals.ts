/** Principals of a policy question: from a file, from the audit log, or one per role. Pure. */
import { IsIn, IsOptional, IsString, MinLength } from 'class-validator';
import type { StoredRecord } from '../../audit/record.js';
import type { DelegationLink, Principal, PrincipalKind } from '../../core/principal.js';
import { IsNumber, IsStringList } from '../../config/rules.js';
import { checkEntry, parseYaml, type Entry, type FaultReporter } from '../../config/yaml-file.js';
import { isJsonObject } from '../../lib/json.js';
import type { LoadedPolicy } from '../../policy/load-policy.js';

export interface NamedPrincipal {
  readonly name: string;
  readonly principal: Principal;
}

const UNKNOWN_ISSUER = 'https://issuer.example';
const isText = (text: string) => text !== '';

const LINKS = ['human', 'agent', 'client'] as const;

class ActorEntry {
  @IsString({ message: 'must be a string' })
  iss: string;

  @IsString({ message: 'must be a string' })
  sub: string;
}

/** One link of `delegation`. */
class LinkEntry extends ActorEntry {
  @IsIn(LINKS, { message: `must be one of ${LINKS.join(', ')}` })
  type: DelegationLink['type'];
}

/** Members as in `principal` of a record. */
class PrincipalEntry {
  @IsOptional()
  @IsString({ message: 'must be a string' })
  name?: string;

  @IsOptional()
  @IsString({ message: 'must be a string' })
  iss?: string;

  @IsString({ message: 'must be a string' })
  @MinLength(1, { message: 'must not be empty' })
  sub: string;

  @IsOptional()
  @IsIn(['human', 'workload'], { message: 'must be human or workload' })
  kind?: PrincipalKind;

  @IsOptional()
  @IsString({ message: 'must be a string' })
  client_id?: string;

  @IsOptional()
  @IsString({ message: 'must be a string' })
  tenant?: string;

  @IsOptional()
  @IsStringList(isText, 'scopes')
  scopes?: string[];

  @IsOptional()
  @IsStringList(isText, 'roles')
  roles?: string[];

  @IsOptional()
  @IsStringList(isText, 'authentication contexts')
  acr?: string[];

  @IsOptional()
  @IsNumber(0, 1e11)
  auth_time?: number;

  @IsOptional()
  @IsString({ message: 'must be a string' })
  token_id?: string;

  @IsOptional()
  actor?: ActorEntry;
}

/**
 * One principal, a list under `principals`, or an audit record; YAML or JSON.
 * @throws Error with every fault and its place.
 */
export function principalsIn(path: string, text: string): NamedPrincipal[] {
  const faults: string[] = [];
  const report: FaultReporter = (place, fault) => faults.push(`${path}: ${place}${fault}`);
  const file = parseYaml(path, () => text, 'principals', report);
  if (!file) throw new Error(faults.join('\n'));
  const entries: [string, unknown][] = Array.isArray(file.principals)
    ? file.principals.map((one: unknown, at) => [`principals[${at}]`, one])
    : [['', file.principal ?? file]];
  const principals = entries.flatMap(([place, one]) => {
    const entry = withoutEmpty(one);
    checkEntry(PrincipalEntry, entry, place, { actor: ActorEntry }, report);
    return faults.length > 0 ? [] : [toPrincipal(entry as unknown as PrincipalEntry)];
  });
  principals.forEach(({ name }, at) => {
    const first = principals.findIndex((other) => other.name === name);
    if (first < at)
      report(`principals[${at}]: `, `has the same name as principals[${first}]: give it a different name`);
  });
  const delegation = file.principal ? delegationIn(file.delegation, report) : undefined;
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const [first] = principals;
  return delegation && first ? [{ ...first, principal: { ...first.principal, delegation } }] : principals;
}

function delegationIn(value: unknown, report: FaultReporter): DelegationLink[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) report('delegation: ', 'must be a list');
  const links: unknown[] = Array.isArray(value) ? value : [];
  links.forEach((link, at) => checkEntry(LinkEntry, link, `delegation[${at}]`, {}, report));
  return links as DelegationLink[];
}

/** Principal of a record; undefined without a valid one. */
export function principalOfRecord({ principal: one, delegation }: StoredRecord): Principal | undefined {
  if (!one || ![one.scopes, one.roles, one.acr, delegation].every(Array.isArray)) return undefined;
  if (![one.iss, one.sub, one.client_id].every((text) => typeof text === 'string')) return undefined;
  return {
    issuer: one.iss,
    subject: one.sub,
    kind: one.kind,
    clientId: one.client_id,
    tenant: one.tenant,
    scopes: one.scopes,
    roles: one.roles,
    acr: one.acr,
    authenticatedAt: one.auth_time,
    tokenId: null,
    expiresAt: 0,
    delegation,
    delegationOmitted: 0,
  };
}

/** The same principals without scopes and login: obtainable targets differ. */
export function withoutScopes(people: readonly NamedPrincipal[]): NamedPrincipal[] {
  return people.map(({ name, principal }) => ({
    name: `${name}, no scope`,
    principal: { ...principal, scopes: [], acr: [], authenticatedAt: null },
  }));
}

/** One principal with every scope for each role in rules and conditions, and one without a role. */
export function principalsByRole({ policy, cedarRules }: LoadedPolicy, now: number): NamedPrincipal[] {
  const { targets } = policy;
  const required = [...targets.values()].map(({ effective }) => effective.required);
  const scopes = [...new Set(required.flatMap((one) => one.scopes))];
  const acr = [...new Set(required.flatMap(({ assurance }) => assurance?.acr ?? []))];
  const named = cedarRules.flatMap(({ roles: some }) => [...some]);
  const roles = [...new Set([...required.flatMap((one) => one.roles.flat()), ...named])].sort();
  return [undefined, ...roles].map((role) => {
    const name = role ?? 'no role';
    const entry = { sub: name, scopes, acr, auth_time: Math.floor(now / 1000), roles: role ? [role] : [] };
    return { name, principal: toPrincipal(entry).principal };
  });
}

function toPrincipal(entry: PrincipalEntry): NamedPrincipal {
  const { iss = UNKNOWN_ISSUER, sub, kind = 'human', actor } = entry;
  const texts = (value: string | string[] | undefined) =>
    typeof value === 'string' ? [value] : (value ?? []);
  return {
    name: entry.name ?? sub,
    principal: {
      issuer: iss,
      subject: sub,
      kind,
      clientId: entry.client_id ?? (kind === 'workload' ? sub : 'client'),
      tenant: entry.tenant ?? null,
      scopes: texts(entry.scopes),
      roles: texts(entry.roles),
      acr: texts(entry.acr),
      authenticatedAt: entry.auth_time ?? null,
      tokenId: entry.token_id ?? null,
      expiresAt: 0,
      delegation: [
        { sub, iss, type: kind === 'human' ? 'human' : 'client' },
        ...(actor ? [{ sub: actor.sub, iss: actor.iss, type: 'agent' as const }] : []),
      ],
      delegationOmitted: 0,
    },
  };
}

/** Records contain null and empty lists. */
function withoutEmpty(value: unknown): Entry {
  if (!isJsonObject(value)) return value as Entry;
  return Object.fromEntries(
    Object.entries(value).filter(([, one]) => one !== null && !(Array.isArray(one) && one.length === 0)),
  );
}
