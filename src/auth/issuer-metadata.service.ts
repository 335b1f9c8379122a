/** The issuer's own metadata document, fetched when needed and kept for some minutes. */
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Settings } from '../config/settings.js';
import type { JsonObject } from '../common/exchange.js';
import { boundedFetch } from './bounded-fetch.js';
import { identityUnavailable } from './refuse-token.js';

const KEEP_MS = 10 * 60_000;
const TIMEOUT_MS = 5_000;
/** After a failure, ask again no sooner than this: an issuer that is down is not hammered. */
const RETRY_AFTER_MS = 1_000;

@Injectable()
export class IssuerMetadataService {
  private readonly issuer: string;
  private kept: { document: JsonObject; until: number } | undefined;
  private failed: { error: unknown; until: number } | undefined;
  private pending: Promise<JsonObject> | undefined;

  constructor(config: ConfigService<Settings, true>) {
    this.issuer = config.get('auth', { infer: true }).issuer;
  }

  /**
   * The document, at most ten minutes old.
   * @throws AppError `identity_unavailable` while it cannot be had, or names another issuer (RFC 8414 section 3.3).
   */
  async get(): Promise<JsonObject> {
    const now = Date.now();
    if (this.kept && now < this.kept.until) return this.kept.document;
    if (this.failed && now < this.failed.until) throw identityUnavailable(this.failed.error);
    this.pending ??= this.fetch().finally(() => (this.pending = undefined));
    return this.pending;
  }

  private async fetch(): Promise<JsonObject> {
    try {
      const document = await fetchMetadata(this.issuer);
      this.kept = { document, until: Date.now() + KEEP_MS };
      return document;
    } catch (error) {
      this.failed = { error, until: Date.now() + RETRY_AFTER_MS };
      throw identityUnavailable(error);
    }
  }
}

/** RFC 8414 section 3.1 (path insertion), then OpenID Connect Discovery 1.0 section 4 in both its spellings. */
export function metadataUrls(issuer: string): string[] {
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

async function fetchMetadata(issuer: string): Promise<JsonObject> {
  const failures: unknown[] = [];
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  for (const url of metadataUrls(issuer)) {
    try {
      const response = await boundedFetch(url, { headers: { accept: 'application/json' }, signal });
      if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
      const document = (await response.json()) as JsonObject | null;
      if (document?.issuer !== issuer) throw new Error(`${url} is the metadata of another issuer`);
      return document;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new AggregateError(failures, `No metadata of ${issuer}`);
}
