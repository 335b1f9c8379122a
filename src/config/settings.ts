/** The configuration as the rest of the code sees it: typed, checked, one section per concern. */
import type { ProxyHeaders } from '../core/sender.js';
import type { ClientSettings } from './client-settings.js';
import type { UpstreamsSettings } from './upstream-settings.js';

export type { ClientSettings } from './client-settings.js';
export type {
  TokenRequestSettings,
  UpstreamAuthSettings,
  UpstreamSettings,
  UpstreamsSettings,
  UpstreamToolSettings,
} from './upstream-settings.js';

/** Where a provider's tokens keep scopes, roles, tenant and kind. */
export const PRESETS = [
  'generic',
  'entra',
  'okta',
  'auth0',
  'keycloak',
  'cognito',
  'google',
  'ping',
] as const;

export type Preset = (typeof PRESETS)[number];

export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  /**
   * Base of all addresses as clients see them, without a trailing slash: an origin, with a path where a proxy in front
   * takes that path off.
   */
  readonly publicUrl: string;
  readonly mcpPath: string;
  /** `auto`: plain `tools/call` and `tools/list` bypass Express, Nest and the SDK unless the host application extends them. */
  readonly fastPath: 'auto' | 'off';
  /** The resource identifier (RFC 8707, RFC 9728): `PUBLIC_URL` + `MCP_PATH`. */
  readonly resource: string;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  /** As Express takes it: false, a number of hops, or a list of CIDRs. */
  readonly trustProxy: false | number | readonly string[];
  /** The headers of trusted proxies that count. */
  readonly proxyHeaders: ProxyHeaders;
  /** Unset: plain HTTP, for loopback or behind a proxy that terminates TLS. */
  readonly tls: TlsSettings | undefined;
}

export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  /** Set: a client must present a certificate of this authority. */
  readonly clientCaFile: string | undefined;
}

/** Whether an issuer's tokens may, or must, be bound to a key of the client. A bound token is always held to its binding. */
export type SenderConstraint = 'allowed' | 'required';

/**
 * Where the claims of one issuer are, in place of the preset's places. Each entry is the name of a claim, or a JSON
 * Pointer (RFC 6901) into it, such as `/realm_access/roles`.
 */
export interface ClaimSettings {
  /** The first one present is read. */
  readonly scopes?: readonly string[];
  /** Those present are united. */
  readonly roles?: readonly string[];
  /** The first one present is read. */
  readonly clientId?: readonly string[];
  /** The first one present is read. */
  readonly tenant?: readonly string[];
}

/** How the gate asks an issuer about its tokens (RFC 7662), in place of checking a signature. */
export interface IntrospectionSettings extends ClientSettings {
  /** From the issuer's metadata where unset. */
  readonly endpoint: string | undefined;
  /**
   * True: an active token is meant for this server where neither the answer nor the token names an audience. Unset:
   * false.
   */
  readonly acceptsMissingAudience?: boolean | undefined;
  /** How long "active" is believed, in seconds; 0: not at all. */
  readonly cacheSeconds: number;
}

/** One issuer, and all that is bound to it: nothing of one issuer is ever applied to a token of another. */
export interface IssuerSettings {
  /** Exact `iss`. Never fetched where it is an http identifier beyond loopback. */
  readonly issuer: string;
  readonly preset: Preset;
  readonly audience: readonly string[];
  /** Where the metadata is. Unset: the well-known addresses of the issuer. */
  readonly metadataUrl: string | undefined;
  /** From the issuer's metadata where unset. */
  readonly jwksUri: string | undefined;
  readonly algorithms: readonly string[];
  /** True: the single key of a set, one without `kid`, verifies tokens that have a `kid`. Unset: false. */
  readonly acceptsKeyWithoutKid?: boolean | undefined;
  /** Accepted JWT `typ`, lower case, without `application/`; `none` accepts a token without `typ`. Unset: the preset's. */
  readonly tokenTypes: readonly string[] | undefined;
  readonly clockToleranceSeconds: number;
  /** 0: unlimited. */
  readonly maxTokenLifetimeSeconds: number;
  readonly claims: ClaimSettings;
  /** What separates the roles of a role claim that is one text. Unset: such a claim is refused. */
  readonly rolesSeparator?: string | undefined;
  /** Set: of roles that an organization grants (an object of Zitadel's), those of these organizations count alone. */
  readonly roleOrganizations?: readonly string[] | undefined;
  /** Claim that names the person in records and commands; decisions never use it. */
  readonly displayClaim?: string | undefined;
  /** From the provider's names of roles to those that code uses. Set: what it does not name is no role. */
  readonly roleMap: ReadonlyMap<string, string> | undefined;
  /** What the provider puts before the scopes that code knows (`api://GUID/`); taken off in tokens, put on in challenges. */
  readonly scopePrefix: string;
  readonly dpop: SenderConstraint;
  readonly mtls: SenderConstraint;
  /** Keys are fetched again this often: the longest time that a key removed at the issuer still works. */
  readonly keyRefreshSeconds: number;
  /** While the issuer is down, keys are used up to this age. */
  readonly keyMaxAgeSeconds: number;
  /** Set: every token of this issuer is introspected. Its keys are used for JWTs that the answer names no audience of. */
  readonly introspection: IntrospectionSettings | undefined;
}

/** The certificate of the client, as a proxy in front tells it. Believed only from a peer that `TRUST_PROXY` names. */
export interface ClientCertificateHeader {
  /** Lower case. */
  readonly name: string;
  /** `rfc9440`: base64 DER between colons; `pem`: URL-encoded PEM (nginx); `xfcc`: Envoy's list. */
  readonly format: 'rfc9440' | 'pem' | 'xfcc';
}

export interface AuthSettings {
  /** In production: tokens and metadata that say that they are of a demo issuer are refused. */
  readonly refusesDemoIssuer: boolean;
  /** At least one; the first is the one that clients without a token are sent to. */
  readonly issuers: readonly IssuerSettings[];
  /** Set: a DPoP proof must carry a nonce made with this secret, shared by all instances (RFC 9449 section 9). */
  readonly dpopNonceSecret: string | undefined;
  /** Unset: only a certificate of in-process TLS counts. */
  readonly clientCertificateHeader: ClientCertificateHeader | undefined;
}

/** `allowed`: every scope that an allowed target needs; `minimal`: those of read-only targets; or these scopes, at least one. */
export type ChallengeScopes = 'allowed' | 'minimal' | readonly string[];

export interface PolicySettings {
  readonly allowList: '*' | ReadonlySet<string>;
  readonly requireHuman: boolean;
  readonly denialDetail: 'explain' | 'conceal';
  /** What the first challenge and `scopes_supported` ask for. */
  readonly challengeScopes: ChallengeScopes;
  /** The folder of the operator's policy; undefined where there is none. */
  readonly directory: string | undefined;
}

/** `json`: the records as they are; `ocsf`: API Activity (6003) of OCSF 1.3; `cef`: Common Event Format. */
export const SINK_FORMATS = ['json', 'ocsf', 'cef'] as const;
export type SinkFormat = (typeof SINK_FORMATS)[number];

/** Where the audit log is delivered to. */
export type SinkSettings = {
  /** Names it in logs, and the file that keeps how far it came. */
  readonly name: string;
  readonly format: SinkFormat;
} & (
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'stdout' }
  | {
      readonly type: 'https';
      readonly url: string;
      readonly token: string | undefined;
      readonly ca: string | undefined;
    }
  /** RFC 5424 over TLS (RFC 5425). */
  | { readonly type: 'syslog'; readonly host: string; readonly port: number; readonly ca: string | undefined }
  | { readonly type: 'postgres'; readonly databaseUrl: string }
);

export interface AuditSettings {
  readonly file: string;
  readonly onFailure: 'deny' | 'allow';
  /** PEM, PKCS #8, Ed25519: signs the checkpoints of the audit log. */
  readonly keyFile: string;
  /** True: nobody named the file, and it is made on the first start. */
  readonly makesKey: boolean;
  /** A file of the audit log is put aside at this size; 0: never for its size. */
  readonly rotateBytes: number;
  /** A file of the audit log is put aside at the end of each day (UTC). */
  readonly rotateDaily: boolean;
  /** Files put aside are deleted when their last record is older than this; 0: never. */
  readonly retentionDays: number;
  /** Set: people are on record by keyed hashes in place of their names. */
  readonly pseudonymKey: string | undefined;
  readonly sinks: readonly SinkSettings[];
}

/** Events that take tokens out of force (CAEP 1.0, RISC 1.0), by the last part of their names. */
export const SIGNAL_EVENTS = [
  'session-revoked',
  'token-claims-change',
  'credential-change',
  'assurance-level-change',
  'account-disabled',
  'account-purged',
  'account-credential-change-required',
  'credential-compromise',
  'sessions-revoked',
] as const;
export type SignalEvent = (typeof SIGNAL_EVENTS)[number];

/** Who sends security event tokens (RFC 8417), and what they may cause. */
export interface TransmitterSettings {
  /** Exact `iss` of its tokens. */
  readonly issuer: string;
  /** Accepted `aud`. */
  readonly audience: readonly string[];
  /** From the transmitter's metadata (SSF 1.0 section 6) where unset. */
  readonly jwksUri: string | undefined;
  readonly algorithms: readonly string[];
  /** The whole value of the `Authorization` header that it sends. Unset: it sends none, and only its signature says who it is. */
  readonly authorization: string | undefined;
  /** The issuer of tokens whose people it speaks for, and nobody else's. */
  readonly subjectIssuer: string;
  /** True: at that issuer the `sub` of a person is the e-mail address. */
  readonly emailIsSubject: boolean;
  /** Others change nothing. */
  readonly events: ReadonlySet<SignalEvent>;
  /** For times in its tokens that lie in the future. */
  readonly clockToleranceSeconds: number;
  /** Deliveries. */
  readonly perMinute: number;
}

export interface StorageSettings {
  readonly dataDir: string;
  /** Unset: the embedded database under `dataDir`. */
  readonly databaseUrl: string | undefined;
}

export interface TracingSettings {
  /** Where spans are posted (OTLP over HTTP). */
  readonly endpoint: string;
  /** Secrets of the collector, as a rule. */
  readonly headers: Readonly<Record<string, string>>;
  /** Part of the traces that is told, from 0 to 1. */
  readonly ratio: number;
  readonly serviceName: string;
}

export interface OperationsSettings {
  /** Unset: no metrics. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  /** Unset: no traces. */
  readonly tracing: TracingSettings | undefined;
}

/** A proxy that outbound requests go through. */
export interface ProxySettings {
  readonly variable: 'HTTPS_PROXY' | 'HTTP_PROXY';
  /** TLS to the proxy itself. */
  readonly secure: boolean;
  /** An IPv6 address without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** `host:port`, for messages. */
  readonly name: string;
  /** `Proxy-Authorization`; a secret. */
  readonly authorization: string | undefined;
}

export interface OutboundSettings {
  readonly https: ProxySettings | undefined;
  readonly http: ProxySettings | undefined;
  /** Entries of `NO_PROXY`: targets that are asked directly. */
  readonly direct: readonly string[];
}

/** Settings of the example tools (`EXAMPLE_TOOLS=true`). */
export interface ExampleSettings {
  /** Unset: `send_email` answers that mail is not configured. */
  readonly smtpUrl: string | undefined;
}

export interface Settings {
  readonly server: ServerSettings;
  readonly auth: AuthSettings;
  readonly policy: PolicySettings;
  readonly audit: AuditSettings;
  readonly storage: StorageSettings;
  readonly revocation: {
    /** How old the list of revocations may be, in seconds; 0: it is not looked at. */
    readonly maxAgeSeconds: number;
  };
  readonly operations: OperationsSettings;
  readonly shutdown: {
    /** How long it goes on answering after it said that it goes. */
    readonly drainSeconds: number;
    /** How long calls that run then may take to end. */
    readonly graceSeconds: number;
  };
  /** Empty: nobody is listened to. */
  readonly signals: readonly TransmitterSettings[];
  readonly upstreams: UpstreamsSettings;
  /** 0: no limit. */
  readonly limits: { readonly perMinute: number };
  /** Unset: every request goes direct. */
  readonly outbound: OutboundSettings | undefined;
  /** Unset: the example tools are not loaded. */
  readonly examples: ExampleSettings | undefined;
  readonly log: { readonly level: string; readonly pretty: boolean };
  /** Relaxations in force, and names that look like typing errors: each is logged once at boot. */
  readonly notices: readonly string[];
}
