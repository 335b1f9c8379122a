/** Settings of MCP servers that are mounted behind the gateway. */
import type { ClientSettings } from './client-settings.js';

/** Access rule of the tools of an upstream, and their names. */
export interface UpstreamToolSettings {
  /** Name in decisions: `upstreams.yaml: NAME/PATTERN`. */
  readonly source: string;
  /** Names at the upstream; `*` matches any characters. */
  readonly match: readonly string[];
  readonly scopes: readonly string[];
  /** One of them is required; empty: no requirement. */
  readonly roles: readonly string[];
  readonly allowWorkload: boolean;
  readonly assurance: { readonly acr: readonly string[]; readonly maxAgeSeconds: number | null } | null;
  /** Cedar expressions, all of which must hold. */
  readonly conditions: readonly string[];
  /** Set by the operator. The annotations of the upstream have no effect on decisions. */
  readonly readOnly: boolean;
  /** Arguments in clear text in records. */
  readonly recordedArguments: readonly string[];
  /** Name without the prefix. */
  readonly name: string | undefined;
  readonly title: string | undefined;
  readonly description: string | undefined;
  /** Overrides the limit of the upstream. */
  readonly timeoutMs: number | undefined;
}

/** Authentication of the gateway at an HTTP upstream. The token of the caller is never forwarded. */
export type UpstreamAuthSettings =
  /** Fixed header value. */
  | { readonly method: 'secret'; readonly header: string; readonly value: string }
  /** Token of the gateway (RFC 6749 section 4.4). */
  | ({ readonly method: 'client_credentials' } & TokenRequestSettings)
  /** Token for the caller, exchanged from that of the caller (RFC 8693). */
  | ({ readonly method: 'token_exchange'; readonly actor: boolean } & TokenRequestSettings)
  /** Grant of the caller's identity provider for the authorization server of the upstream (ID-JAG). */
  | ({ readonly method: 'id_jag'; readonly grant: TokenRequestSettings } & TokenRequestSettings);

/** Token endpoint and requested token. */
export interface TokenRequestSettings extends ClientSettings {
  readonly tokenEndpoint: string;
  /** Audience of the gateway's assertions: identifier of the authorization server. */
  readonly issuer: string;
  readonly audience: string | undefined;
  /** RFC 8707. */
  readonly resource: string | undefined;
  readonly scope: string | undefined;
}

interface UpstreamBase {
  /** Name in logs, records and pins. */
  readonly name: string;
  /** Prefix of its tool names. */
  readonly prefix: string;
  /** `shared`: one process or session. Others: one per user, or one per user and client. */
  readonly processes: 'shared' | 'per_person' | 'per_client';
  /** Maximum number, if not shared. */
  readonly maxProcesses: number;
  /** Idle time before the end, if not shared. */
  readonly idleMs: number;
  /** Concurrent calls in one process or session; others queue. */
  readonly concurrency: number;
  /** `legacy`: revisions up to 2025-11-25, negotiated by `initialize`. */
  readonly protocol: 'auto' | 'legacy' | 'modern';
  readonly connectTimeoutMs: number;
  readonly listTimeoutMs: number;
  readonly callTimeoutMs: number;
  /** A larger message fails its call only. */
  readonly maxAnswerBytes: number;
  /** False: tools are withheld until the operator accepts them. */
  readonly trustFirstUse: boolean;
  /** True: the caller sees the text of its protocol errors. */
  readonly relaysErrors: boolean;
  readonly tools: readonly UpstreamToolSettings[];
}

/** MCP server mounted behind the gateway. */
export type UpstreamSettings = UpstreamBase &
  (
    | {
        readonly transport: 'stdio';
        readonly command: readonly [string, ...string[]];
        /** Environment of the process, beside `HOME`, `TMPDIR` and a plain `PATH`. */
        readonly environment: Readonly<Record<string, string>>;
        /** Unset: an empty folder of its own. */
        readonly workingDirectory: string | undefined;
        /** Values of command and environment from files: never shown. */
        readonly secrets: readonly string[];
      }
    | {
        readonly transport: 'http';
        readonly url: string;
        readonly auth: UpstreamAuthSettings | undefined;
        /** Signed token of the gateway that identifies the caller. */
        readonly identityHeader: { readonly name: string; readonly audience: string } | undefined;
      }
  );

export interface UpstreamsSettings {
  readonly list: readonly UpstreamSettings[];
  /** File with the accepted definitions. */
  readonly pinsFile: string;
  /** PEM, PKCS #8: signs the identity headers. */
  readonly keyFile: string;
  /** True for the default path: the file is created on demand. */
  readonly makesKey: boolean;
  /** Parent of the default working directories. */
  readonly folder: string;
}
