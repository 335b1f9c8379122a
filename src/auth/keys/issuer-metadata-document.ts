/** Metadata document of one issuer (RFC 8414, OpenID Connect Discovery 1.0), refreshed in the background. */
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { preferFirst } from '../../lib/prefer-first.js';
import { isSecureUrl } from '../../config/rules.js';
import { withoutQuery, fetchJson } from '../../http/outbound/bounded-fetch.js';
import type { EventLog } from '../../core/event-logger.js';
import { RemoteDocument } from './remote-document.js';

const REFRESH_MS = 10 * 60_000;
/** After this time the next address is tried in parallel. */
const PATIENCE_MS = 500;

export interface IssuerMetadataOptions {
  /** The `issuer` of the document must equal it. */
  readonly issuer: string;
  /** Unset: the well-known addresses of the issuer. */
  readonly metadataUrl?: string | undefined;
  /** Reject documents with `demo_issuer`. Default false. */
  readonly refusesDemoIssuer?: boolean;
  /** Default 10 minutes. */
  readonly refreshMs?: number;
  /** Maximum age while the issuer is unavailable. */
  readonly maxAgeMs: number;
  /** Time limit for all addresses together. Default 5,000. */
  readonly timeoutMs?: number;
  readonly log: EventLog;
}

export class IssuerMetadataDocument extends RemoteDocument<JsonObject> {
  constructor(options: IssuerMetadataOptions) {
    const { issuer, metadataUrl } = options;
    const urls = metadataUrl === undefined ? metadataUrls(issuer) : [metadataUrl];
    const isRight = (document: JsonObject) => isMetadataOf(document, options);
    super({
      name: `Metadata of ${options.issuer}`,
      subject: 'issuer_metadata',
      load: async (signal) => {
        const document = await fetchMetadata(issuer, urls, isRight, signal);
        if (!options.refusesDemoIssuer || document.demo_issuer !== true) return document;
        throw new Error(
          `${options.issuer} is a demo issuer, which authenticates any name: NODE_ENV=production rejects it`,
        );
      },
      refreshMs: options.refreshMs ?? REFRESH_MS,
      maxAgeMs: options.maxAgeMs,
      timeoutMs: options.timeoutMs,
      log: options.log,
    });
  }
}

/**
 * True if a document belongs to this issuer (RFC 8414 section 3.3). AD FS names the `iss` of access tokens in
 * `access_token_issuer`, which counts at a configured address only.
 */
export function isMetadataOf(
  document: JsonObject,
  { issuer, metadataUrl }: Pick<IssuerMetadataOptions, 'issuer' | 'metadataUrl'>,
): boolean {
  return document.issuer === issuer || (metadataUrl !== undefined && document.access_token_issuer === issuer);
}

/**
 * RFC 8414 section 3.1 (path insertion), then both forms of OpenID Connect Discovery 1.0 section 4. No address for an
 * http issuer beyond loopback: the network could forge the response.
 */
export function metadataUrls(issuer: string): string[] {
  if (!isSecureUrl(issuer)) return [];
  const url = new URL(issuer);
  const path = url.pathname.replace(/\/$/, '');
  return [
    ...new Set([
      `${url.origin}/.well-known/oauth-authorization-server${path}`,
      `${url.origin}/.well-known/openid-configuration${path}`,
      `${url.origin}${path}/.well-known/openid-configuration`,
    ]),
  ];
}

/** In order of preference; a slow address does not block the next one. */
async function fetchMetadata(
  issuer: string,
  urls: readonly string[],
  isRight: (document: JsonObject) => boolean,
  signal: AbortSignal,
): Promise<JsonObject> {
  const done = new AbortController();
  const ends = AbortSignal.any([signal, done.signal]);
  const [first, ...others] = urls.map((url) => () => fetchDocument(url, isRight, ends));
  if (!first) throw new Error(`The metadata of ${issuer} has no address: set metadata_url`);
  try {
    return await preferFirst([first, ...others], PATIENCE_MS);
  } finally {
    done.abort();
  }
}

/** A document of another issuer is invalid (RFC 8414 section 3.3). */
async function fetchDocument(
  url: string,
  isRight: (document: JsonObject) => boolean,
  signal: AbortSignal,
): Promise<JsonObject> {
  const document = await fetchJson(url, signal);
  if (!isJsonObject(document)) throw new Error(`${withoutQuery(url)} did not return a JSON object`);
  if (!isRight(document)) throw new Error(otherIssuer(url, document.issuer));
  return document;
}

/** Names the other issuer: an additional slash is the usual mistake. */
function otherIssuer(url: string, issuer: unknown): string {
  const name = typeof issuer === 'string' ? JSON.stringify(issuer.slice(0, 200)) : 'no issuer';
  return `${withoutQuery(url)} is the metadata of ${name}`;
}
