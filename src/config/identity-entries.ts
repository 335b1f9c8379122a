/** Mappings of `IDENTITY_FILE` and the rules of their values. */
import { IsIn, IsOptional, Matches } from 'class-validator';
import { SCOPE_TOKEN, TEXT_WITHOUT_SPACES } from '../core/patterns.js';
import { isClaimPath } from '../lib/claim-path.js';
import { ClientEntry } from './client-entry.js';
import {
  IsAlgorithmList,
  IsIssuer,
  IsNumber,
  IsPath,
  IsSecureUrl,
  IsSwitch,
  IsText,
  IsTextMap,
  IsStringList,
} from './rules.js';
import { PRESETS, type ClientCertificateHeader, type Preset, type SenderConstraint } from './settings.js';

type Texts = string | readonly string[];

const CLAIM_FORM = 'names of claims, or JSON pointers such as /realm_access/roles';
const CONSTRAINTS = ['allowed', 'required'];

const IsClaim = () =>
  IsText(isClaimPath, 'must be the name of a claim, or a JSON pointer such as /profile/name');

export class ClaimsEntry {
  @IsOptional()
  @IsStringList(isClaimPath, CLAIM_FORM)
  scopes?: Texts;

  @IsOptional()
  @IsStringList(isClaimPath, CLAIM_FORM)
  roles?: Texts;

  @IsOptional()
  @IsStringList(isClaimPath, CLAIM_FORM)
  client_id?: Texts;

  @IsOptional()
  @IsStringList(isClaimPath, CLAIM_FORM)
  tenant?: Texts;
}

export class IntrospectionEntry extends ClientEntry {
  @IsOptional()
  @IsSecureUrl({ query: true })
  endpoint?: string;

  @IsOptional()
  @IsSwitch()
  accept_missing_audience?: boolean;

  @IsOptional()
  @IsNumber(0, 60)
  cache_seconds?: number;
}

export class IssuerEntry {
  @IsIssuer(({ metadata_url, jwks_uri, introspection }: IssuerEntry) => [
    metadata_url,
    jwks_uri,
    introspection?.endpoint,
  ])
  issuer: string;

  @IsOptional()
  @IsIn(PRESETS, { message: `must be one of ${PRESETS.join(', ')}` })
  preset?: Preset;

  @IsOptional()
  @IsStringList((text) => TEXT_WITHOUT_SPACES.test(text), 'values without spaces')
  audience?: Texts;

  @IsOptional()
  @IsSecureUrl({ query: true })
  metadata_url?: string;

  @IsOptional()
  @IsSecureUrl({ query: true })
  jwks_uri?: string;

  @IsOptional()
  @IsAlgorithmList()
  algorithms?: readonly string[];

  @IsOptional()
  @IsSwitch()
  accept_key_without_kid?: boolean;

  @IsOptional()
  @IsStringList((text) => /^[A-Za-z0-9+./-]+$/.test(text), 'JWT types', { listOnly: true })
  token_types?: readonly string[];

  @IsOptional()
  @IsNumber(0, 60)
  clock_tolerance_seconds?: number;

  @IsOptional()
  @IsNumber(0, 31_536_000)
  max_token_lifetime_seconds?: number;

  /** Checked against {@link ClaimsEntry}. */
  @IsOptional()
  claims?: ClaimsEntry;

  @IsOptional()
  @Matches(/^[^\p{L}\p{N}\p{C}"\\]{1,3}$/u, {
    message:
      'must be one to three characters that are no letters, digits, quotes or backslashes, such as ","',
  })
  roles_separator?: string;

  @IsOptional()
  @IsStringList((text) => TEXT_WITHOUT_SPACES.test(text), 'ids of organizations')
  role_organizations?: Texts;

  @IsOptional()
  @IsClaim()
  display_claim?: string;

  @IsOptional()
  @IsTextMap(
    SCOPE_TOKEN,
    "a mapping from the provider's names to names without spaces, quotes or backslashes",
  )
  role_map?: Readonly<Record<string, string>>;

  @IsOptional()
  @Matches(SCOPE_TOKEN, { message: 'must be a text without spaces, quotes or backslashes' })
  scope_prefix?: string;

  @IsOptional()
  @IsIn(CONSTRAINTS, { message: 'must be allowed or required' })
  dpop?: SenderConstraint;

  @IsOptional()
  @IsIn(CONSTRAINTS, { message: 'must be allowed or required' })
  mtls?: SenderConstraint;

  @IsOptional()
  @IsNumber(1, 86_400)
  key_refresh_seconds?: number;

  @IsOptional()
  @IsNumber(1, 604_800)
  key_max_age_seconds?: number;

  /** Checked against {@link IntrospectionEntry}. */
  @IsOptional()
  introspection?: IntrospectionEntry;
}

/** Headers with another meaning. A client could set them itself. */
const TAKEN =
  'authorization|dpop|host|cookie|origin|content-[a-z-]+|forwarded|x-forwarded-[a-z-]+|user-agent';

export class CertificateHeaderEntry {
  @Matches(new RegExp(`^(?!(${TAKEN})$)[a-z0-9-]{1,100}$`, 'i'), {
    message: 'must be the name of a header that has no other meaning',
  })
  name: string;

  @IsOptional()
  @IsIn(['rfc9440', 'pem', 'xfcc'], { message: 'must be rfc9440, pem or xfcc' })
  format?: ClientCertificateHeader['format'];
}

export class IdentityEntry {
  /** Each checked against {@link IssuerEntry}. */
  @IsOptional()
  issuers: IssuerEntry[];

  @IsOptional()
  @IsPath()
  dpop_nonce_secret_file?: string;

  /** Checked against {@link CertificateHeaderEntry}. */
  @IsOptional()
  client_certificate_header?: CertificateHeaderEntry;
}
