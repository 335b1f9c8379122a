/** The metadata document of one issuer (RFC 8414, OpenID Connect Discovery 1.0), kept fresh. */
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { preferFirst } from '../../lib/prefer-first.js';
import { isSecureUrl } from '../../config/rules.js';
import { withoutQuery, fetchJson } from '../../http/outbound/bounded-fetch.js';
import type { EventLog } from '../../core/event-logger.js';
import { RemoteDocument } from './remote-document.js';

const REFRESH_MS = 10 * 60_000;
/** So long an address has its turn alone; after it the next one is asked beside it. */
const PATIENCE_MS = 500;

export interface IssuerMetadataOptions {
  /** The document must name it exactly. */
  readonly issuer: string;
  /** Where the document is. Unset: the well-known addresses of the issuer. */
  readonly metadataUrl?: string | undefined;
  /** A document that says `demo_issuer` is none. Default false. */
  readonly refusesDemoIssuer?: boolean;
  /** Default 10 minutes. */
  readonly refreshMs?: number;
  /** While the issuer does not answer, its document is used up to this age. */
  readonly maxAgeMs: number;
  /** For all addresses together. Default 5,000. */
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
          `${options.issuer} is a demo issuer, which believes anybody: not where NODE_ENV is production`,
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
 * Whether a document is of this issuer (RFC 8414 section 3.3). AD FS names the `iss` of its access tokens in a member of
 * its own, `access_token_issuer`; that counts at an address that the operator has named.
 */
export function isMetadataOf(
  document: JsonObject,
  { issuer, metadataUrl }: Pick<IssuerMetadataOptions, 'issuer' | 'metadataUrl'>,
): boolean {
  return document.issuer === issuer || (metadataUrl !== undefined && document.access_token_issuer === issuer);
}

/**
 * RFC 8414 section 3.1 (path insertion), then OpenID Connect Discovery 1.0 section 4 in both its spellings. None for an
 * http identifier beyond loopback: anybody on the way could answer in its place.
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

/** By order of preference; an address that hangs or is slow does not cost the next one its turn. */
async function fetchMetadata(
  issuer: string,
  urls: readonly string[],
  isRight: (document: JsonObject) => boolean,
  signal: AbortSignal,
): Promise<JsonObject> {
  const done = new AbortController();
  const ends = AbortSignal.any([signal, done.signal]);
  const [first, ...others] = urls.map((url) => () => fetchDocument(url, isRight, ends));
  if (!first) throw new Error(`No address of the metadata of ${issuer} is known`);
  try {
    return await preferFirst([first, ...others], PATIENCE_MS);
  } finally {
    done.abort();
  }
}

/** A document of another issuer is no answer (RFC 8414 section 3.3). */
async function fetchDocument(
  url: string,
  isRight: (document: JsonObject) => boolean,
  signal: AbortSignal,
): Promise<JsonObject> {
  const document = await fetchJson(url, signal);
  if (!isJsonObject(document)) throw new Error(`${withoutQuery(url)} answered with no JSON object`);
  if (!isRight(document)) throw new Error(otherIssuer(url, document.issuer));
  return document;
}

/** Says which one: a slash too many is the usual mistake. */
function otherIssuer(url: string, issuer: unknown): string {
  const name = typeof issuer === 'string' ? JSON.stringify(issuer.slice(0, 200)) : 'no issuer';
  return `${withoutQuery(url)} is the metadata of ${name}`;
}
