/** Relaxations: settings that weaken a check. */
import { databaseRelaxation } from './database-url.js';
import { isSecureUrl } from './rules.js';
import type { IssuerSettings, Settings, SinkSettings } from './settings.js';

/** A longer maximum age of keys is reported at every start. */
const LONG_KEY_AGE_SECONDS = 86_400;

/** All PostgreSQL URLs with the variable or file that names each. */
export function databasesOf(
  own: string | undefined,
  sinks: readonly SinkSettings[],
): { readonly name: string; readonly url: string }[] {
  return [
    ...(own === undefined ? [] : [{ name: 'DATABASE_URL', url: own }]),
    ...sinks.flatMap((sink) =>
      sink.type === 'postgres'
        ? [{ name: `AUDIT_SINKS_FILE: database_url_file of ${sink.name}`, url: sink.databaseUrl }]
        : [],
    ),
  ];
}

/** One sentence for each weakened check, logged at startup. */
export function relaxations(settings: Omit<Settings, 'notices'>): string[] {
  const notices: [boolean, string][] = [
    [
      settings.policy.allowList === '*',
      'TOOL_ALLOW_LIST=*: every registered tool, resource and prompt is allowed',
    ],
    [!settings.policy.requireHuman, 'AUTH_REQUIRE_HUMAN=false: workloads may call every tool'],
    [
      settings.revocation.maxAgeSeconds === 0,
      'REVOCATION_MAX_AGE_SECONDS=0: revocations have no effect, and tokens are good until they expire',
    ],
    [
      settings.examples !== undefined,
      'EXAMPLE_TOOLS=true: the example tools are registered, and the database gets their customers table',
    ],
    [settings.limits.perMinute === 0, 'RATE_LIMIT_PER_MINUTE=0: requests are not limited'],
    [
      settings.audit.onFailure === 'allow',
      'AUDIT_ON_FAILURE=allow: calls go on when they cannot be recorded',
    ],
    ...databasesOf(settings.storage.databaseUrl, settings.audit.sinks).map(
      ({ name, url }): [boolean, string] => {
        const relaxation = databaseRelaxation(url);
        return [relaxation !== undefined, `${name}: ${relaxation}`];
      },
    ),
    ...settings.upstreams.list.map(({ name, relaysErrors }): [boolean, string] => [
      relaysErrors,
      `relay_errors of ${name}: its error messages reach callers unchanged`,
    ]),
    ...settings.signals.map(({ issuer, authorization }): [boolean, string] => [
      authorization === undefined,
      `allow_without_authorization of ${issuer}: any holder of one of its signed events can deliver it`,
    ]),
    ...settings.auth.issuers.flatMap((issuer): [boolean, string][] => [
      [
        issuer.maxTokenLifetimeSeconds === 0,
        `AUTH_MAX_TOKEN_LIFETIME_SECONDS=0: tokens of any lifetime are accepted from ${issuer.issuer}`,
      ],
      [
        issuer.tokenTypes?.includes('none') ?? false,
        `AUTH_TOKEN_TYPES holds none: tokens without a typ are accepted from ${issuer.issuer}`,
      ],
      [
        !isSecureUrl(issuer.issuer),
        `the issuer ${issuer.issuer} is an identifier that is never fetched: its keys and metadata come from the configured https addresses`,
      ],
      [
        issuer.introspection?.acceptsMissingAudience ?? false,
        `accept_missing_audience of ${issuer.issuer}: active tokens that name no audience are accepted`,
      ],
      [
        countsGrantsOfAll(issuer),
        `the roles of ${issuer.issuer} count for grants of every organization: role_organizations limits them`,
      ],
      [
        issuer.acceptsKeyWithoutKid ?? false,
        `accept_key_without_kid of ${issuer.issuer}: its single key verifies tokens with any kid`,
      ],
      [
        issuer.keyMaxAgeSeconds > LONG_KEY_AGE_SECONDS,
        `key_max_age_seconds of ${issuer.issuer} is ${issuer.keyMaxAgeSeconds}: during an outage its keys are used for this time`,
      ],
    ]),
  ];
  return notices.filter(([inForce]) => inForce).map(([, notice]) => notice);
}

/** Zitadel: an organization with a granted project assigns the roles of that project. */
function countsGrantsOfAll({ claims: { roles = [] }, roleOrganizations }: IssuerSettings): boolean {
  return roleOrganizations === undefined && roles.some((place) => /^\/?urn:zitadel:/.test(place));
}
