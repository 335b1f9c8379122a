/** Reads the issuers of `IDENTITY_FILE` and returns settings or all faults. Pure except for {@link ReadFile}. */
import { readClient } from './client-entry.js';
import {
  CertificateHeaderEntry,
  ClaimsEntry,
  IdentityEntry,
  IntrospectionEntry,
  IssuerEntry,
} from './identity-entries.js';
import {
  checkEntry,
  parseYaml,
  SecretFiles,
  type Entry,
  type ReadFile,
  type FaultReporter,
} from './yaml-file.js';
import type { AuthSettings, IntrospectionSettings, IssuerSettings } from './settings.js';

export interface IdentityContext {
  /** Path of the file. Relative paths in it start at its folder. */
  readonly path: string;
  /** Default audience of an issuer. */
  readonly resource: string;
  readonly read: ReadFile;
}

/** Defaults of an issuer. */
export const ISSUER_DEFAULTS = {
  preset: 'generic',
  metadataUrl: undefined,
  jwksUri: undefined,
  algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
  acceptsKeyWithoutKid: undefined,
  tokenTypes: undefined,
  clockToleranceSeconds: 5,
  maxTokenLifetimeSeconds: 3600,
  claims: {},
  rolesSeparator: undefined,
  roleOrganizations: undefined,
  displayClaim: undefined,
  roleMap: undefined,
  scopePrefix: '',
  dpop: 'allowed',
  mtls: 'allowed',
  keyRefreshSeconds: 300,
  keyMaxAgeSeconds: 3600,
  introspection: undefined,
} as const satisfies Omit<IssuerSettings, 'issuer' | 'audience'>;

const NESTED = {
  issuer: { claims: ClaimsEntry, introspection: IntrospectionEntry },
  file: { client_certificate_header: CertificateHeaderEntry },
} as const;

/**
 * @param faults receives every fault, with its place and without the value.
 * @returns the settings; not valid after a fault.
 */
export function readIdentityFile(context: IdentityContext, faults: string[]): IssuersSettings {
  const report = (place: string, fault: string) => faults.push(`IDENTITY_FILE: ${place}${fault}`);
  const entry = parseYaml(context.path, context.read, 'issuers', report);
  const before = faults.length;
  if (entry) checkForms(entry, report);
  if (!entry || faults.length > before) return NOTHING;
  const file = entry as unknown as IdentityEntry;
  const secrets = new SecretFiles(context.path, context.read, report);
  const settings: IssuersSettings = {
    issuers: file.issuers.map((issuer, index) =>
      toIssuer(issuer, `issuers[${index}].`, context, secrets, report),
    ),
    dpopNonceSecret: secrets.optional(file.dpop_nonce_secret_file, 'dpop_nonce_secret_file', 32),
    clientCertificateHeader: file.client_certificate_header && {
      name: file.client_certificate_header.name.toLowerCase(),
      format: file.client_certificate_header.format ?? 'rfc9440',
    },
  };
  crossValidate(settings, report);
  return settings;
}

/** Sections that the file sets. */
export type IssuersSettings = Omit<AuthSettings, 'refusesDemoIssuer'>;

const NOTHING: IssuersSettings = {
  issuers: [],
  dpopNonceSecret: undefined,
  clientCertificateHeader: undefined,
};

function checkForms(file: Entry, report: FaultReporter): void {
  checkEntry(IdentityEntry, file, '', NESTED.file, report);
  if (!Array.isArray(file.issuers) || file.issuers.length === 0) {
    report('issuers: ', 'must be a list of at least one issuer');
    return;
  }
  file.issuers.forEach((issuer: unknown, index) =>
    checkEntry(IssuerEntry, issuer, `issuers[${index}]`, NESTED.issuer, report),
  );
}

function toIssuer(
  entry: IssuerEntry,
  place: string,
  { resource }: IdentityContext,
  secrets: SecretFiles,
  report: FaultReporter,
): IssuerSettings {
  const { claims = {} } = entry;
  const settings: IssuerSettings = {
    ...ISSUER_DEFAULTS,
    issuer: entry.issuer,
    preset: entry.preset ?? ISSUER_DEFAULTS.preset,
    audience: texts(entry.audience) ?? [resource],
    metadataUrl: entry.metadata_url,
    jwksUri: entry.jwks_uri,
    algorithms: entry.algorithms ?? ISSUER_DEFAULTS.algorithms,
    acceptsKeyWithoutKid: entry.accept_key_without_kid,
    tokenTypes: entry.token_types?.map(plainType),
    clockToleranceSeconds: entry.clock_tolerance_seconds ?? ISSUER_DEFAULTS.clockToleranceSeconds,
    maxTokenLifetimeSeconds: entry.max_token_lifetime_seconds ?? ISSUER_DEFAULTS.maxTokenLifetimeSeconds,
    claims: {
      ...(claims.scopes && { scopes: texts(claims.scopes) }),
      ...(claims.roles && { roles: texts(claims.roles) }),
      ...(claims.client_id && { clientId: texts(claims.client_id) }),
      ...(claims.tenant && { tenant: texts(claims.tenant) }),
    },
    rolesSeparator: entry.roles_separator,
    roleOrganizations: texts(entry.role_organizations),
    displayClaim: entry.display_claim,
    roleMap: entry.role_map && new Map(Object.entries(entry.role_map)),
    scopePrefix: entry.scope_prefix ?? ISSUER_DEFAULTS.scopePrefix,
    dpop: entry.dpop ?? ISSUER_DEFAULTS.dpop,
    mtls: entry.mtls ?? ISSUER_DEFAULTS.mtls,
    keyRefreshSeconds: entry.key_refresh_seconds ?? ISSUER_DEFAULTS.keyRefreshSeconds,
    keyMaxAgeSeconds: entry.key_max_age_seconds ?? ISSUER_DEFAULTS.keyMaxAgeSeconds,
    introspection:
      entry.introspection && toIntrospection(entry.introspection, `${place}introspection.`, secrets, report),
  };
  if (settings.keyMaxAgeSeconds < settings.keyRefreshSeconds) {
    report(`${place}key_max_age_seconds: `, 'must not be less than key_refresh_seconds');
  }
  return settings;
}

function toIntrospection(
  entry: IntrospectionEntry,
  place: string,
  secrets: SecretFiles,
  report: FaultReporter,
): IntrospectionSettings {
  return {
    endpoint: entry.endpoint,
    ...readClient(entry, place, secrets, report),
    acceptsMissingAudience: entry.accept_missing_audience,
    cacheSeconds: entry.cache_seconds ?? 10,
  };
}

/** Checks across issuers. */
function crossValidate({ issuers }: IssuersSettings, report: FaultReporter): void {
  issuers.forEach(({ issuer }, index) => {
    const first = issuers.findIndex((other) => other.issuer === issuer);
    if (first < index) report(`issuers[${index}].issuer: `, `is the same as that of issuers[${first}]`);
    const twin = issuers.findIndex((other) => plainUrl(other.issuer) === plainUrl(issuer));
    if (twin < index && first === index) {
      report(
        `issuers[${index}].issuer: `,
        `differs from that of issuers[${twin}] by a slash, capitals or the port alone: tokens have one of the two`,
      );
    }
  });
  // An opaque token does not name its issuer, and must not be sent to the wrong one.
  const introspecting = issuers.flatMap(({ introspection }, index) => (introspection ? [index] : []));
  for (const index of introspecting.slice(1)) {
    report(
      `issuers[${index}].introspection: `,
      `only one issuer can have it; issuers[${introspecting[0]}] has it`,
    );
  }
}

function plainUrl(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).href.toLowerCase().replace(/\/$/, '') : issuer;
}

/** `typ` of a token (RFC 9068 section 2.1): lower case, without `application/`. */
export function plainType(type: string): string {
  return type.toLowerCase().replace(/^application\//, '');
}

function texts(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value;
}
