/** The issuer's signing keys: fetched once, kept, and fetched again when a token names an unknown one. */
import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
} from 'jose';
import { AppError } from '../common/app-error.js';
import type { Settings } from '../config/settings.js';
import { isSecureUrl } from '../config/variables.js';
import { boundedFetch } from './bounded-fetch.js';
import { IssuerMetadataService } from './issuer-metadata.service.js';
import { identityUnavailable } from './refuse-token.js';

const TIMEOUT_MS = 5_000;
/** A key set older than this is fetched again before it is used: a key removed at the issuer stops working by then. */
const MAX_AGE_MS = 10 * 60_000;
/** Unknown key ids make the set be fetched again at most this often. */
const COOLDOWN_MS = 30_000;
const RETRY_AFTER_MS = 1_000;

type RemoteKeySet = ReturnType<typeof createRemoteJWKSet>;

@Injectable()
export class JwksService implements OnApplicationBootstrap {
  private readonly logger = new Logger(JwksService.name);
  private readonly configuredUri: string | undefined;
  private keySet: RemoteKeySet | undefined;
  private failed: { error: unknown; until: number } | undefined;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly metadata: IssuerMetadataService,
  ) {
    this.configuredUri = config.get('auth', { infer: true }).jwksUri;
  }

  /** Starts to fetch the keys; the server comes up without them, and is not ready until it has them. */
  onApplicationBootstrap(): void {
    void this.ready();
  }

  /** True once the issuer's keys are known. Asks for them where they are not. */
  async ready(): Promise<boolean> {
    try {
      const keySet = await this.open();
      if (!keySet.jwks()) await this.guarded(() => keySet.reload());
      return keySet.jwks() !== undefined;
    } catch (error) {
      this.logger.warn(`The issuer's keys cannot be had: ${rootMessage(error)}`);
      return false;
    }
  }

  /**
   * The key that this header names; from the configured issuer and nowhere else (`jku`, `x5u` and `jwk` are not read).
   * @throws errors.JWKSNoMatchingKey where the issuer has no such key.
   * @throws AppError `identity_unavailable` where the issuer cannot be asked.
   */
  async key(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const keySet = await this.open();
    return this.guarded(() => keySet(header, token));
  }

  private async open(): Promise<RemoteKeySet> {
    if (this.keySet) return this.keySet;
    const uri = this.configuredUri ?? (await this.metadata.get()).jwks_uri;
    if (typeof uri !== 'string' || !isSecureUrl(uri)) {
      throw identityUnavailable(new Error('The metadata of the issuer has no jwks_uri that is https'));
    }
    const url = new URL(uri);
    this.keySet ??= createRemoteJWKSet(url, {
      timeoutDuration: TIMEOUT_MS,
      cooldownDuration: COOLDOWN_MS,
      cacheMaxAge: MAX_AGE_MS,
      [customFetch]: (address, options) => this.fetch(address, options),
    });
    return this.keySet;
  }

  private async fetch(address: string, options: RequestInit): Promise<Response> {
    if (this.failed && Date.now() < this.failed.until) throw this.failed.error;
    try {
      const response = await boundedFetch(address, options);
      if (response.status !== 200) throw new Error(`The key set answered ${response.status}`);
      const keys = usableKeys(await response.json());
      this.failed = undefined;
      return Response.json({ keys });
    } catch (error) {
      this.failed = { error, until: Date.now() + RETRY_AFTER_MS };
      throw error;
    }
  }

  /** Tells "the issuer has no such key" from "the issuer cannot be asked": only the former is the token's fault. */
  private async guarded<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
        throw error;
      if (error instanceof AppError) throw error;
      throw identityUnavailable(error);
    }
  }
}

/** One odd entry does not break the set; a set without a key is no answer. */
function usableKeys(document: unknown): object[] {
  const keys = (document as { keys?: unknown } | null)?.keys;
  const usable = Array.isArray(keys) ? keys.filter((key) => typeof key === 'object' && key !== null) : [];
  if (usable.length === 0) throw new Error('The key set holds no key');
  return usable as object[];
}

function rootMessage(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  return root instanceof AggregateError ? root.errors.map(rootMessage).join('; ') : String(root);
}
