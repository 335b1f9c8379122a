/** Settings of MCP servers that are mounted behind the gateway. */
import type { ClientSettings } from './client-settings.js';

/** Which of an upstream's tools are here, under what they are called, and what they ask of a caller. */
export interface UpstreamToolSettings {
  /** Names it in decisions: `upstreams.yaml: NAME/PATTERN`. */
  readonly source: string;
  /** The upstream's own names, with `*` for any characters. */
  readonly match: readonly string[];
  readonly scopes: readonly string[];
  /** Any of them; empty: none is asked for. */
  readonly roles: readonly string[];
  readonly allowWorkload: boolean;
  readonly assurance: { readonly acr: readonly string[]; readonly maxAgeSeconds: number | null } | null;
  /** Cedar expressions that must all hold. */
  readonly conditions: readonly string[];
  /** The operator's word; what the upstream says of it decides nothing. */
  readonly readOnly: boolean;
  /** Arguments whose values go on record. */
  readonly recordedArguments: readonly string[];
  /** What it is called here, behind the prefix. */
  readonly name: string | undefined;
  readonly title: string | undefined;
  readonly description: string | undefined;
  /** In place of the upstream's. */
  readonly timeoutMs: number | undefined;
}

/** How the gate proves to an upstream over HTTP that it may ask. The caller's own token never gets there. */
export type UpstreamAuthSettings =
  /** A fixed value of a header. */
  | { readonly method: 'secret'; readonly header: string; readonly value: string }
  /** A token of the gate's own (RFC 6749 section 4.4). */
  | ({ readonly method: 'client_credentials' } & TokenRequestSettings)
  /** A token for the caller, made out of the caller's (RFC 8693). */
  | ({ readonly method: 'token_exchange'; readonly actor: boolean } & TokenRequestSettings)
  /** A grant of the caller's identity provider, taken to the upstream's authorization server (ID-JAG). */
  | ({ readonly method: 'id_jag'; readonly grant: TokenRequestSettings } & TokenRequestSettings);

/** Where a token is asked for, and what for. */
export interface TokenRequestSettings extends ClientSettings {
  readonly tokenEndpoint: string;
  /** Whom the gate's assertions are for: the authorization server's identifier. */
  readonly issuer: string;
  readonly audience: string | undefined;
  /** RFC 8707. */
  readonly resource: string | undefined;
  readonly scope: string | undefined;
}

interface UpstreamBase {
  /** Names it in logs, records and pins. */
  readonly name: string;
  /** What the names of its tools start with here. */
  readonly prefix: string;
  /** `shared`: one process or session for all. The others: one for each person, or for each person and client. */
  readonly processes: 'shared' | 'per_person' | 'per_client';
  /** Of those that are not shared: how many there may be. */
  readonly maxProcesses: number;
  /** Those that are not shared end after so long without a call. */
  readonly idleMs: number;
  /** Calls at once in one process or session; others wait in line. */
  readonly concurrency: number;
  /** `legacy`: revisions up to 2025-11-25, negotiated by `initialize`. */
  readonly protocol: 'auto' | 'legacy' | 'modern';
  readonly connectTimeoutMs: number;
  readonly listTimeoutMs: number;
  readonly callTimeoutMs: number;
  /** A larger message fails its call, and nothing else. */
  readonly maxAnswerBytes: number;
  /** False: nothing of it is there until the operator accepts it. */
  readonly trustFirstUse: boolean;
  /** True: the text of its protocol errors reaches the caller. */
  readonly relaysErrors: boolean;
  readonly tools: readonly UpstreamToolSettings[];
}

/** An MCP server that is mounted behind the gate. */
export type UpstreamSettings = UpstreamBase &
  (
    | {
        readonly transport: 'stdio';
        readonly command: readonly [string, ...string[]];
        /** All that it gets, beside `HOME`, `TMPDIR` and a plain `PATH`. */
        readonly environment: Readonly<Record<string, string>>;
        /** Unset: an empty folder of its own. */
        readonly workingDirectory: string | undefined;
        /** Values among command and environment that come from files: never to be shown. */
        readonly secrets: readonly string[];
      }
    | {
        readonly transport: 'http';
        readonly url: string;
        readonly auth: UpstreamAuthSettings | undefined;
        /** A token of the gate's own that says who asks. */
        readonly identityHeader: { readonly name: string; readonly audience: string } | undefined;
      }
  );

export interface UpstreamsSettings {
  readonly list: readonly UpstreamSettings[];
  /** The definitions that the operator has accepted. */
  readonly pinsFile: string;
  /** PEM, PKCS #8: signs the identity headers. */
  readonly keyFile: string;
  /** True: nobody named the file, and it is made when it is first needed. */
  readonly makesKey: boolean;
  /** Where those work that name no folder. */
  readonly folder: string;
}
