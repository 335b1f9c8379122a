/** Requests metadata and keys like the server, and keeps all details. */
import { withoutQuery, boundedFetch, fetchJson, JSON_TYPES } from '../../http/outbound/bounded-fetch.js';
import { ClientAuthenticationError } from '../../http/outbound/client-authentication.js';
import type { IntrospectionService } from '../../auth/introspection/introspection.service.js';
import { isMetadataOf, metadataUrls } from '../../auth/keys/issuer-metadata-document.js';
import { readPublishedKeys, type PublishedKey, type PublishedKeys } from '../../auth/keys/published-keys.js';
import { rootMessage } from '../../lib/root-cause.js';
import { AppError } from '../../core/app-error.js';
import { ASYMMETRIC, isSecureUrl } from '../../config/rules.js';
import type { IssuerSettings } from '../../config/settings.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { isMetadataAddress } from './rules/issuer.js';

/** As in the server: for all addresses together. */
const TIMEOUT_MS = 5_000;
/** Not a real token, so the issuer can log it. */
const NO_TOKEN = 'doctor';

/** One metadata address and its response. */
export interface MetadataAnswer {
  readonly address: string;
  /** `issuer` of the document; undefined without a document. */
  readonly issuer: unknown;
  readonly document: JsonObject | undefined;
  readonly failure: string | undefined;
  /** Clock difference in seconds, positive if theirs is ahead; undefined without `Date`. */
  readonly clockAhead: number | undefined;
}

export interface IssuerKeys {
  readonly uri: string;
  readonly published: PublishedKeys;
  /** Valid keys for algorithms that are not accepted. */
  readonly ignored: readonly PublishedKey[];
}

export type IntrospectionAnswer =
  'accepted' | 'believes-anything' | { readonly failure: string; readonly refused: boolean };

export interface IssuerAnswers {
  readonly metadata: readonly MetadataAnswer[];
  /** Document that the server uses; undefined without a valid one. */
  readonly document: JsonObject | undefined;
  /** Undefined for an introspected issuer, and without a JWKS address. */
  readonly keys: IssuerKeys | { readonly failure: string } | undefined;
  readonly introspection: IntrospectionAnswer | undefined;
}

export async function askIssuer(
  issuer: IssuerSettings,
  introspection: Pick<IntrospectionService, 'claims'>,
): Promise<IssuerAnswers> {
  const metadata = await askMetadata(issuer);
  const document = metadata.find((answer) => isRight(answer, issuer))?.document;
  const hasKeys = !issuer.introspection && (issuer.jwksUri !== undefined || document !== undefined);
  return {
    metadata,
    document,
    keys: hasKeys ? await askKeys(issuer, document) : undefined,
    introspection: issuer.introspection && (await askAboutNothing(introspection)),
  };
}

/** In the order of the server, up to the first valid response. Parallel, so that a hanging address costs no time. */
async function askMetadata(issuer: IssuerSettings): Promise<MetadataAnswer[]> {
  const { metadataUrl } = issuer;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const urls = [
    ...(metadataUrl === undefined ? metadataUrls(issuer.issuer) : [metadataUrl]),
    // Never valid itself; its document names the real issuer.
    ...(isMetadataAddress(issuer.issuer) ? [issuer.issuer] : []),
  ];
  const answers = await Promise.all(urls.map((url) => askForDocument(url, signal)));
  const right = answers.findIndex((answer) => isRight(answer, issuer));
  return right < 0 ? answers : answers.slice(0, right + 1);
}

function isRight({ document }: MetadataAnswer, issuer: IssuerSettings): boolean {
  return document !== undefined && isMetadataOf(document, issuer);
}

async function askForDocument(url: string, signal: AbortSignal): Promise<MetadataAnswer> {
  const address = withoutQuery(url);
  const nothing = { address, issuer: undefined, document: undefined, clockAhead: undefined };
  try {
    const sent = Date.now();
    const response = await boundedFetch(url, { headers: { accept: JSON_TYPES }, signal });
    const clockAhead = clockOf(response.headers, (sent + Date.now()) / 2);
    if (response.status !== 200) return { ...nothing, clockAhead, failure: `answered ${response.status}` };
    const document: unknown = await response.json().catch(() => undefined);
    if (!isJsonObject(document)) {
      return { ...nothing, clockAhead, failure: 'did not answer with a JSON object' };
    }
    const json = document as JsonObject;
    return { address, issuer: json.issuer ?? null, document: json, clockAhead, failure: undefined };
  } catch (error) {
    return { ...nothing, failure: signal.aborted ? 'did not respond in time' : rootMessage(error) };
  }
}

/** `Date` has whole seconds; a cached one is as old as `Age` (RFC 9110 section 6.6.1, RFC 9111 section 5.1). */
function clockOf(headers: Headers, local: number): number | undefined {
  const date = Date.parse(headers.get('date') ?? '');
  const age = Number(headers.get('age') ?? 0);
  return Number.isNaN(date) || Number.isNaN(age) ? undefined : (date + 500 - local) / 1000 + age;
}

export async function askKeys(
  { jwksUri, algorithms }: IssuerSettings,
  document: JsonObject | undefined,
): Promise<IssuerKeys | { readonly failure: string }> {
  const uri: unknown = jwksUri ?? document?.jwks_uri;
  if (typeof uri !== 'string' || !isSecureUrl(uri))
    return { failure: 'the metadata has no jwks_uri that is https' };
  try {
    const set = await fetchJson(uri, AbortSignal.timeout(TIMEOUT_MS));
    const published = await readPublishedKeys(set, algorithms);
    const all = await readPublishedKeys(set, ASYMMETRIC);
    const ignored = all.keys.filter(({ id }) => !published.ids.has(id));
    return { uri: withoutQuery(uri), published, ignored };
  } catch (error) {
    return { failure: `${withoutQuery(uri)}: ${rootMessage(error)}` };
  }
}

/** Introspects an invalid token: an "inactive" response proves that the credentials are accepted. */
async function askAboutNothing(
  introspection: Pick<IntrospectionService, 'claims'>,
): Promise<IntrospectionAnswer> {
  try {
    await introspection.claims(NO_TOKEN);
    return 'believes-anything';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'token_revoked') return 'accepted';
    // Any other error means that the token was reported active.
    if (error.code !== 'identity_unavailable') return 'believes-anything';
    return { failure: rootMessage(error), refused: error.cause instanceof ClientAuthenticationError };
  }
}
