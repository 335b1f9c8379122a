/** The configuration as the rest of the code sees it: typed, checked, one section per concern. */

/** Where a provider's tokens keep scopes, roles, tenant and kind. */
export type Preset = 'generic' | 'entra' | 'okta' | 'auth0' | 'keycloak';

export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  /** Origin as clients see it, without a trailing slash. */
  readonly publicUrl: string;
  readonly mcpPath: string;
  /** The resource identifier (RFC 8707, RFC 9728): `PUBLIC_URL` + `MCP_PATH`. */
  readonly resource: string;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  /** As Express takes it: false, a number of hops, or a list of CIDRs. */
  readonly trustProxy: false | number | readonly string[];
  /** Unset: plain HTTP, for loopback or behind a proxy that terminates TLS. */
  readonly tls: TlsSettings | undefined;
}

export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  /** Set: a client must present a certificate of this authority. */
  readonly clientCaFile: string | undefined;
}

export interface AuthSettings {
  readonly issuer: string;
  readonly audience: readonly string[];
  /** From the issuer's metadata where unset. */
  readonly jwksUri: string | undefined;
  readonly algorithms: readonly string[];
  readonly preset: Preset;
  /** Accepted JWT `typ`, lower case, without `application/`; `none` accepts a token without `typ`. Unset: the preset's. */
  readonly tokenTypes: readonly string[] | undefined;
  readonly clockToleranceSeconds: number;
  /** 0: unlimited. */
  readonly maxTokenLifetimeSeconds: number;
}

export interface PolicySettings {
  readonly allowList: '*' | ReadonlySet<string>;
  readonly requireHuman: boolean;
  readonly denialDetail: 'explain' | 'conceal';
}

export interface AuditSettings {
  readonly file: string;
  readonly onFailure: 'deny' | 'allow';
}

export interface StorageSettings {
  readonly dataDir: string;
  /** Unset: the embedded database under `dataDir`. */
  readonly databaseUrl: string | undefined;
}

export interface Settings {
  readonly server: ServerSettings;
  readonly auth: AuthSettings;
  readonly policy: PolicySettings;
  readonly audit: AuditSettings;
  readonly storage: StorageSettings;
  /** 0: no limit. */
  readonly limits: { readonly perMinute: number };
  readonly mail: { readonly smtpUrl: string | undefined };
  readonly log: { readonly level: string; readonly pretty: boolean };
  /** Relaxations in force, and names that look like typing errors: each is logged once at boot. */
  readonly notices: readonly string[];
}
