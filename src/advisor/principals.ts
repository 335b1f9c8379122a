/** Who a policy is asked about: from a file, from the ledger, or one for each role. Pure. */
import { IsIn, IsOptional, IsString, MinLength } from 'class-validator';
import type { PlacedRecord } from '../audit/record.js';
import type { DelegationLink, Principal, PrincipalKind } from '../common/principal.js';
import { IsNumber, IsTexts } from '../config/rules.js';
import { checkEntry, parseYaml, type Entry, type Report } from '../config/yaml-file.js';
import type { Policy } from '../policy/policy.js';

export interface NamedPrincipal {
  readonly name: string;
  readonly principal: Principal;
}

const UNKNOWN_ISSUER = 'https://issuer.example';
const isText = (text: string) => text !== '';

class ActorEntry {
  @IsString({ message: 'must be a text' })
  iss: string;

  @IsString({ message: 'must be a text' })
  sub: string;
}

/** Members are named as in the `principal` of a record. */
class PrincipalEntry {
  @IsOptional()
  @IsString({ message: 'must be a text' })
  name?: string;

  @IsOptional()
  @IsString({ message: 'must be a text' })
  iss?: string;

  @IsString({ message: 'must be a text' })
  @MinLength(1, { message: 'must not be empty' })
  sub: string;

  @IsOptional()
  @IsIn(['human', 'workload'], { message: 'must be human or workload' })
  kind?: PrincipalKind;

  @IsOptional()
  @IsString({ message: 'must be a text' })
  client_id?: string;

  @IsOptional()
  @IsString({ message: 'must be a text' })
  tenant?: string;

  @IsOptional()
  @IsTexts(isText, 'scopes')
  scopes?: string[];

  @IsOptional()
  @IsTexts(isText, 'roles')
  roles?: string[];

  @IsOptional()
  @IsTexts(isText, 'authentication contexts')
  acr?: string[];

  @IsOptional()
  @IsNumber(0, 1e11)
  auth_time?: number;

  @IsOptional()
  @IsString({ message: 'must be a text' })
  token_id?: string;

  @IsOptional()
  actor?: ActorEntry;
}

/**
 * One principal, a list of them under `principals`, or a record of the ledger with its `principal`; YAML or JSON.
 * @throws Error with every fault, by its place.
 */
export function principalsIn(path: string, text: string): NamedPrincipal[] {
  const faults: string[] = [];
  const report: Report = (place, fault) => faults.push(`${path}: ${place}${fault}`);
  const file = parseYaml(path, () => text, 'principals', report);
  const entries: [string, unknown][] = Array.isArray(file?.principals)
    ? file.principals.map((one: unknown, at) => [`principals[${at}]`, one])
    : [['', file?.principal ?? file]];
  const principals = entries.flatMap(([place, one]) => {
    const entry = withoutEmpty(one);
    checkEntry(PrincipalEntry, entry, place, { actor: ActorEntry }, report);
    return faults.length > 0 ? [] : [toPrincipal(entry as unknown as PrincipalEntry)];
  });
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const delegation = file?.principal ? (file.delegation as DelegationLink[] | undefined) : undefined;
  const [first] = principals;
  return delegation && first ? [{ ...first, principal: { ...first.principal, delegation } }] : principals;
}

/** As a record has it; undefined where it has none. */
export function principalOfRecord({ principal: one, delegation }: PlacedRecord): Principal | undefined {
  if (!one) return undefined;
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

/** One person for each role that anything asks for, with every scope; and one with no role. */
export function principalsByRole({ targets }: Policy, now: number): NamedPrincipal[] {
  const required = [...targets.values()].map(({ view }) => view.required);
  const scopes = [...new Set(required.flatMap((one) => one.scopes))];
  const acr = [...new Set(required.flatMap(({ assurance }) => assurance?.acr ?? []))];
  const roles = [...new Set(required.flatMap((one) => one.roles.flat()))].sort();
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

/** Records say null, and empty lists, where there is nothing. */
function withoutEmpty(value: unknown): Entry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value as Entry;
  return Object.fromEntries(
    Object.entries(value).filter(([, one]) => one !== null && !(Array.isArray(one) && one.length === 0)),
  );
}
