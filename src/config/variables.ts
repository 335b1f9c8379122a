/**
 * All environment variables of the server and the rules of their values. Values are strings: {@link loadSettings}
 * converts them.
 */
import { IsIn, IsOptional, IsString, Matches, ValidateIf } from 'class-validator';
import { IsProxyUrl } from './proxies.js';
import {
  ASYMMETRIC,
  IsChallengeScopes,
  IsIssuer,
  IsList,
  IsListOf,
  IsPath,
  IsPublicUrl,
  IsSecureUrl,
  IsTrustedProxies,
  IsBooleanString,
  IsWholeNumber,
  SECRET_URLS,
} from './rules.js';
import { TARGET_LABEL } from '../core/patterns.js';
import { PROXY_HEADERS } from '../core/sender.js';
import { PRESETS } from './settings.js';

/** Names in a `.env` file without effect, as notices. */
export const FILE_NOTICES = Symbol('notices on .env');

export type Environment = Readonly<Record<string, string | undefined>> & {
  readonly [FILE_NOTICES]?: ReadonlyMap<string, string>;
};

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

const ALLOW_LIST_ITEM = new RegExp(`^\\*$|${TARGET_LABEL.source}`);

const HOST = /^[A-Za-z0-9.:[\]_-]+$/;
const HOST_MESSAGE = 'must be a host name or an address';

export class Variables {
  @IsOptional()
  @Matches(HOST, { message: HOST_MESSAGE })
  HOST?: string;

  @IsOptional()
  @IsWholeNumber(1, 65_535)
  PORT?: string;

  @IsOptional()
  @IsPublicUrl()
  PUBLIC_URL?: string;

  @IsOptional()
  @Matches(/^(\/[A-Za-z0-9._~-]+)+$/, {
    message: 'must be an absolute path without a trailing slash, such as /mcp',
  })
  MCP_PATH?: string;

  @IsOptional()
  @IsIn(['auto', 'off'], { message: 'must be auto or off' })
  MCP_FAST_PATH?: string;

  /** Required, unless `IDENTITY_FILE` names the issuers. */
  @ValidateIf(
    (variables: Variables) => variables.IDENTITY_FILE === undefined || variables.AUTH_ISSUER !== undefined,
  )
  @IsIssuer(({ AUTH_JWKS_URI }: Variables) => [AUTH_JWKS_URI])
  AUTH_ISSUER?: string;

  @IsOptional()
  @IsList(/^\S+$/, 'values without spaces')
  AUTH_AUDIENCE?: string;

  @IsOptional()
  @IsSecureUrl({ query: true })
  AUTH_JWKS_URI?: string;

  @IsOptional()
  @IsListOf(ASYMMETRIC)
  AUTH_ALGORITHMS?: string;

  @IsOptional()
  @IsIn(PRESETS, { message: `must be one of ${PRESETS.join(', ')}` })
  AUTH_PRESET?: string;

  @IsOptional()
  @IsList(/^[A-Za-z0-9+./-]+$/, 'JWT types')
  AUTH_TOKEN_TYPES?: string;

  @IsOptional()
  @IsWholeNumber(0, 60)
  AUTH_CLOCK_TOLERANCE_SECONDS?: string;

  @IsOptional()
  @IsWholeNumber(0, 31_536_000)
  AUTH_MAX_TOKEN_LIFETIME_SECONDS?: string;

  @IsOptional()
  @IsBooleanString()
  AUTH_REQUIRE_HUMAN?: string;

  @IsOptional()
  @IsPath()
  IDENTITY_FILE?: string;

  @IsList(ALLOW_LIST_ITEM, 'tool names, resource:NAME, prompt:NAME, or *')
  TOOL_ALLOW_LIST: string;

  @IsOptional()
  @IsPath()
  POLICY_DIR?: string;

  @IsOptional()
  @IsIn(['explain', 'conceal'], { message: 'must be explain or conceal' })
  DENIAL_DETAIL?: string;

  @IsOptional()
  @IsChallengeScopes()
  CHALLENGE_SCOPES?: string;

  @IsOptional()
  @IsPath()
  AUDIT_FILE?: string;

  @IsOptional()
  @IsIn(['deny', 'allow'], { message: 'must be deny or allow' })
  AUDIT_ON_FAILURE?: string;

  @IsOptional()
  @IsPath()
  AUDIT_KEY_FILE?: string;

  @IsOptional()
  @IsWholeNumber(0, 1_000_000)
  AUDIT_ROTATE_MIB?: string;

  @IsOptional()
  @IsBooleanString()
  AUDIT_ROTATE_DAILY?: string;

  @IsOptional()
  @IsWholeNumber(0, 36_500)
  AUDIT_RETENTION_DAYS?: string;

  @IsOptional()
  @IsPath()
  AUDIT_PSEUDONYM_KEY_FILE?: string;

  @IsOptional()
  @IsPath()
  AUDIT_SINKS_FILE?: string;

  @IsOptional()
  @IsPath()
  DATA_DIR?: string;

  @IsOptional()
  @Matches(SECRET_URLS.DATABASE_URL.form, { message: SECRET_URLS.DATABASE_URL.message })
  DATABASE_URL?: string;

  @IsOptional()
  @IsPath()
  DATABASE_URL_FILE?: string;

  @IsOptional()
  @IsWholeNumber(0, 86_400)
  REVOCATION_MAX_AGE_SECONDS?: string;

  @IsOptional()
  @Matches(HOST, { message: HOST_MESSAGE })
  METRICS_HOST?: string;

  @IsOptional()
  @IsWholeNumber(1, 65_535)
  METRICS_PORT?: string;

  @IsOptional()
  @Matches(/^https?:\/\/[^/?#@\s]+(\/[^?#@\s]*)?$/, {
    message: 'must be an http or https URL without credentials, query or fragment',
  })
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;

  @IsOptional()
  @IsPath()
  OTEL_EXPORTER_OTLP_HEADERS_FILE?: string;

  @IsOptional()
  @Matches(/^(0(\.\d{1,6})?|1(\.0{1,6})?)$/, { message: 'must be a number from 0 to 1' })
  OTEL_TRACES_SAMPLER_ARG?: string;

  @IsOptional()
  @Matches(/^[\x21-\x7e]{1,100}$/, { message: 'must be a text without spaces' })
  OTEL_SERVICE_NAME?: string;

  @IsOptional()
  @IsWholeNumber(0, 300)
  SHUTDOWN_DRAIN_SECONDS?: string;

  @IsOptional()
  @IsWholeNumber(0, 3_600)
  SHUTDOWN_GRACE_SECONDS?: string;

  @IsOptional()
  @IsPath()
  SIGNALS_FILE?: string;

  @IsOptional()
  @IsPath()
  UPSTREAMS_FILE?: string;

  @IsOptional()
  @IsPath()
  UPSTREAM_PINS_FILE?: string;

  @IsOptional()
  @IsPath()
  UPSTREAM_KEY_FILE?: string;

  @IsOptional()
  @IsWholeNumber(0, 1_000_000)
  RATE_LIMIT_PER_MINUTE?: string;

  @IsOptional()
  @IsList(/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/i, 'origins such as https://app.example.com')
  ALLOWED_ORIGINS?: string;

  @IsOptional()
  @IsList(/^[A-Za-z0-9.[\]:_-]+$/, 'hosts, with or without a port')
  ALLOWED_HOSTS?: string;

  @IsOptional()
  @IsTrustedProxies()
  TRUST_PROXY?: string;

  @IsOptional()
  @IsIn(PROXY_HEADERS, { message: `must be one of ${PROXY_HEADERS.join(', ')}` })
  TRUST_PROXY_HEADERS?: string;

  @IsOptional()
  @IsProxyUrl()
  HTTPS_PROXY?: string;

  @IsOptional()
  @IsProxyUrl()
  HTTP_PROXY?: string;

  @IsOptional()
  @IsString()
  NO_PROXY?: string;

  @IsOptional()
  @IsPath()
  TLS_CERT_FILE?: string;

  @IsOptional()
  @IsPath()
  TLS_KEY_FILE?: string;

  @IsOptional()
  @IsPath()
  TLS_CLIENT_CA_FILE?: string;

  @IsOptional()
  @IsBooleanString()
  EXAMPLE_TOOLS?: string;

  /** Validated with `EXAMPLE_TOOLS=true`. Otherwise a set value is a fault. */
  @ValidateIf(({ EXAMPLE_TOOLS, SMTP_URL }: Variables) => EXAMPLE_TOOLS === 'true' && SMTP_URL !== undefined)
  @Matches(SECRET_URLS.SMTP_URL.form, { message: SECRET_URLS.SMTP_URL.message })
  SMTP_URL?: string;

  /** Validated with `EXAMPLE_TOOLS=true`. */
  @ValidateIf(
    ({ EXAMPLE_TOOLS, SMTP_URL_FILE }: Variables) => EXAMPLE_TOOLS === 'true' && SMTP_URL_FILE !== undefined,
  )
  @IsPath()
  SMTP_URL_FILE?: string;

  @IsOptional()
  @IsIn(LOG_LEVELS, { message: `must be one of ${LOG_LEVELS.join(', ')}` })
  LOG_LEVEL?: string;

  @IsOptional()
  @IsBooleanString()
  LOG_PRETTY?: string;
}

/** Variables of a single issuer; `IDENTITY_FILE` configures several. */
export const ONE_ISSUER_VARIABLES = [
  'AUTH_ISSUER',
  'AUTH_AUDIENCE',
  'AUTH_JWKS_URI',
  'AUTH_ALGORITHMS',
  'AUTH_PRESET',
  'AUTH_TOKEN_TYPES',
  'AUTH_CLOCK_TOLERANCE_SECONDS',
  'AUTH_MAX_TOKEN_LIFETIME_SECONDS',
] as const;

/** Names of all variables; `.env.example` contains each of them. */
export const VARIABLE_NAMES = [
  'HOST',
  'PORT',
  'PUBLIC_URL',
  'MCP_PATH',
  'MCP_FAST_PATH',
  ...ONE_ISSUER_VARIABLES,
  'AUTH_REQUIRE_HUMAN',
  'IDENTITY_FILE',
  'TOOL_ALLOW_LIST',
  'POLICY_DIR',
  'DENIAL_DETAIL',
  'CHALLENGE_SCOPES',
  'AUDIT_FILE',
  'AUDIT_ON_FAILURE',
  'AUDIT_KEY_FILE',
  'AUDIT_ROTATE_MIB',
  'AUDIT_ROTATE_DAILY',
  'AUDIT_RETENTION_DAYS',
  'AUDIT_PSEUDONYM_KEY_FILE',
  'AUDIT_SINKS_FILE',
  'DATA_DIR',
  'DATABASE_URL',
  'DATABASE_URL_FILE',
  'REVOCATION_MAX_AGE_SECONDS',
  'METRICS_HOST',
  'METRICS_PORT',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_HEADERS_FILE',
  'OTEL_TRACES_SAMPLER_ARG',
  'OTEL_SERVICE_NAME',
  'SHUTDOWN_DRAIN_SECONDS',
  'SHUTDOWN_GRACE_SECONDS',
  'SIGNALS_FILE',
  'UPSTREAMS_FILE',
  'UPSTREAM_PINS_FILE',
  'UPSTREAM_KEY_FILE',
  'RATE_LIMIT_PER_MINUTE',
  'ALLOWED_ORIGINS',
  'ALLOWED_HOSTS',
  'TRUST_PROXY',
  'TRUST_PROXY_HEADERS',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'TLS_CERT_FILE',
  'TLS_KEY_FILE',
  'TLS_CLIENT_CA_FILE',
  'EXAMPLE_TOOLS',
  'SMTP_URL',
  'SMTP_URL_FILE',
  'LOG_LEVEL',
  'LOG_PRETTY',
] as const satisfies readonly (keyof Variables)[];
