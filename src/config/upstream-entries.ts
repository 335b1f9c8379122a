/** Mappings of `UPSTREAMS_FILE` and the rules of their values. */
import { IsBoolean, IsIn, IsOptional, IsString, Matches, MaxLength, ValidateIf } from 'class-validator';
import { SCOPE_TOKEN, TARGET_NAME, TARGET_NAME_PATTERN, TEXT_WITHOUT_SPACES } from '../core/patterns.js';
import { MODERN_REVISION } from '../core/revisions.js';
import { ClientEntry } from './client-entry.js';
import { IsNumber, IsPath, IsSecureUrl, IsStringList } from './rules.js';
import type { UpstreamAuthSettings } from './settings.js';

const UPSTREAM_NAME = /^[a-z][a-z0-9-]{0,31}$/;
const HEADER = /^[A-Za-z0-9-]{1,100}$/;

const isToken = (text: string) => SCOPE_TOKEN.test(text);

export class FileEntry {
  /** Each checked against {@link UpstreamEntry}. */
  @IsOptional()
  upstreams: unknown;
}

export class TimeoutsEntry {
  @IsOptional()
  @IsNumber(1, 600)
  connect_seconds?: number;

  @IsOptional()
  @IsNumber(1, 600)
  list_seconds?: number;

  @IsOptional()
  @IsNumber(1, 3_600)
  call_seconds?: number;
}

export class IdentityHeaderEntry {
  @Matches(HEADER, { message: 'must be the name of a header' })
  name: string;

  @Matches(TEXT_WITHOUT_SPACES, { message: 'must be a text without spaces' })
  audience: string;
}

/** Token request at an authorization server. */
export class TokenRequestEntry extends ClientEntry {
  @IsSecureUrl({ query: true })
  token_endpoint: string;

  @IsOptional()
  @IsSecureUrl()
  issuer?: string;

  @IsOptional()
  @Matches(TEXT_WITHOUT_SPACES, { message: 'must be a text without spaces' })
  audience?: string;

  @IsOptional()
  @IsSecureUrl({ query: true })
  resource?: string;

  @IsOptional()
  @IsStringList(isToken, 'scopes')
  scope?: string | readonly string[];
}

export class AuthEntry {
  @IsIn(['secret', 'client_credentials', 'token_exchange', 'id_jag'], {
    message: 'must be secret, client_credentials, token_exchange or id_jag',
  })
  method: UpstreamAuthSettings['method'];
}

export class SecretAuthEntry extends AuthEntry {
  @IsPath()
  secret_file: string;

  @IsOptional()
  @Matches(HEADER, { message: 'must be the name of a header' })
  header?: string;
}

export class ClientCredentialsEntry extends TokenRequestEntry {
  @IsIn(['client_credentials'])
  method: 'client_credentials';
}

export class TokenExchangeEntry extends TokenRequestEntry {
  @IsIn(['token_exchange'])
  method: 'token_exchange';

  @IsBoolean({ message: 'must be true or false' })
  actor_token: boolean;
}

export class IdJagEntry extends TokenRequestEntry {
  @IsIn(['id_jag'])
  method: 'id_jag';

  /** Checked against {@link IdentityProviderEntry}. */
  @IsOptional()
  identity_provider?: unknown;
}

export class IdentityProviderEntry extends TokenRequestEntry {}

export const AUTH_ENTRIES = {
  secret: SecretAuthEntry,
  client_credentials: ClientCredentialsEntry,
  token_exchange: TokenExchangeEntry,
  id_jag: IdJagEntry,
} as const;

export class UpstreamEntry {
  @Matches(UPSTREAM_NAME, { message: 'must be 1 to 32 characters of a-z 0-9 -, a letter first' })
  name: string;

  @IsOptional()
  @Matches(/^[A-Za-z0-9_.-]{1,64}$/, { message: 'must be 1 to 64 characters of A-Z a-z 0-9 _ . -' })
  prefix?: string;

  /** Each part checked in `upstream-process.ts`. */
  @IsOptional()
  command?: unknown;

  /** Checked in `upstream-process.ts`. */
  @IsOptional()
  env?: unknown;

  /** Checked in `upstream-process.ts`. */
  @IsOptional()
  env_files?: unknown;

  @IsOptional()
  @IsPath()
  working_directory?: string;

  @IsOptional()
  @IsSecureUrl({ query: true })
  url?: string;

  /** Checked against one of {@link AUTH_ENTRIES}. */
  @IsOptional()
  auth?: unknown;

  /** Checked against {@link IdentityHeaderEntry}. */
  @IsOptional()
  identity_header?: IdentityHeaderEntry;

  @IsOptional()
  @IsIn(['shared', 'per_person', 'per_client'], { message: 'must be shared, per_person or per_client' })
  processes?: 'shared' | 'per_person' | 'per_client';

  @IsOptional()
  @IsNumber(1, 1_000)
  max_processes?: number;

  @IsOptional()
  @IsNumber(1, 86_400)
  idle_seconds?: number;

  @IsOptional()
  @IsNumber(1, 1_000)
  concurrency?: number;

  @IsOptional()
  @IsIn(['auto', 'legacy', MODERN_REVISION], { message: `must be auto, legacy or ${MODERN_REVISION}` })
  protocol?: 'auto' | 'legacy' | typeof MODERN_REVISION;

  /** Checked against {@link TimeoutsEntry}. */
  @IsOptional()
  timeouts?: TimeoutsEntry;

  @IsOptional()
  @IsNumber(1, 256)
  max_answer_mib?: number;

  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  trust_first_use?: boolean;

  @IsOptional()
  @IsBoolean({ message: 'must be true or false' })
  relay_errors?: boolean;

  /** Each checked against {@link ToolEntry}. */
  @IsOptional()
  tools?: unknown;
}

export class AssuranceEntry {
  @IsOptional()
  @IsStringList(isToken, 'authentication contexts')
  acr?: string | readonly string[];

  @ValidateIf((entry: AssuranceEntry) => entry.acr === undefined || entry.max_age !== undefined)
  @IsNumber(1, 1_000_000_000)
  max_age?: number;
}

export class ToolEntry {
  @IsStringList(
    (text) => TARGET_NAME_PATTERN.test(text),
    "the upstream's names of tools, with * for any characters",
  )
  match: string | readonly string[];

  @IsOptional()
  @IsStringList(isToken, 'scopes')
  scopes?: string | readonly string[];

  @IsOptional()
  @IsStringList(isToken, 'roles')
  roles?: string | readonly string[];

  @IsOptional()
  @IsIn([true], { message: 'must be true, or left out' })
  any_principal?: true;

  @IsOptional()
  @IsIn([true], { message: 'must be true, or left out' })
  allow_workload?: true;

  /** Checked against {@link AssuranceEntry}. */
  @IsOptional()
  assurance?: AssuranceEntry;

  @IsOptional()
  @IsStringList((text) => text.trim() !== '' && text.length <= 2_000, 'Cedar expressions that must all hold')
  conditions?: string | readonly string[];

  @IsOptional()
  @IsIn([true], { message: 'must be true, or left out' })
  read_only?: true;

  @IsOptional()
  @IsStringList((text) => text.length <= 128, 'at most 20 names of arguments')
  audit_arguments?: string | readonly string[];

  @IsOptional()
  @Matches(TARGET_NAME, { message: 'must be 1 to 128 characters of A-Z a-z 0-9 _ . -' })
  name?: string;

  @IsOptional()
  @IsString({ message: 'must be a text' })
  @MaxLength(200, { message: 'must have at most 200 characters' })
  title?: string;

  @IsOptional()
  @IsString({ message: 'must be a text' })
  @MaxLength(4_000, { message: 'must have at most 4000 characters' })
  description?: string;

  @IsOptional()
  @IsNumber(1, 3_600)
  timeout_seconds?: number;
}

/** Items of a member that may be one string, without repetitions. Empty if unset. */
export function texts(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : [...new Set(value)];
}
