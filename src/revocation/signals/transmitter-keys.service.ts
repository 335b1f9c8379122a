/** Signing keys of transmitters, kept like those of issuers, but separately. */
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { ProtectedHeaderParameters } from 'jose';
import { EventLogger } from '../../core/event-logger.js';
import { IssuerMetadataDocument } from '../../auth/keys/issuer-metadata-document.js';
import { KeySet } from '../../auth/keys/key-set.js';
import { signerOf } from '../../auth/verify/signature.js';
import { AppError } from '../../core/app-error.js';
import type { Settings, TransmitterSettings } from '../../config/settings.js';
import { invalidSetError } from './set-errors.js';

/** Longest use of a removed key. */
const REFRESH_MS = 300_000;
/** Maximum age while the transmitter is unavailable. */
const MAX_AGE_MS = 3_600_000;

interface Keys {
  readonly keySet: KeySet;
  /** Undefined with a configured JWKS address. */
  readonly metadata: IssuerMetadataDocument | undefined;
}

@Injectable()
export class TransmitterKeysService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new EventLogger('Signals');
  private readonly keys: ReadonlyMap<string, Keys>;

  constructor(config: ConfigService<Settings, true>) {
    const transmitters = config.get('signals', { infer: true });
    this.keys = new Map(transmitters.map((one) => [one.issuer, this.keysOf(one)]));
  }

  onApplicationBootstrap(): void {
    for (const { keySet, metadata } of this.keys.values()) {
      metadata?.start();
      keySet.start();
    }
  }

  onApplicationShutdown(): void {
    for (const { keySet, metadata } of this.keys.values()) {
      keySet.stop();
      metadata?.stop();
    }
  }

  /**
   * @param header of the token; its `alg` is one that is accepted.
   * @throws AppError `invalid_key` where no key of the transmitter signed it; `identity_unavailable` (503) where that
   *   cannot be known.
   */
  async requireSigned(
    token: string,
    header: ProtectedHeaderParameters & { readonly alg: string },
    { issuer }: TransmitterSettings,
  ): Promise<void> {
    const keySet = this.keys.get(issuer)?.keySet;
    if (!keySet) throw new Error('Unknown transmitter');
    const candidates = await keySet.candidates(header);
    try {
      await signerOf(token, header, candidates);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (candidates.length > 0) keySet.refreshAfterBadSignature();
      throw invalidSetError(
        'invalid_key',
        'No key of the transmitter has signed the token',
        'token_signature',
      );
    }
  }

  private keysOf({ issuer, jwksUri, algorithms }: TransmitterSettings): Keys {
    const common = { maxAgeMs: MAX_AGE_MS, log: this.logger };
    const metadata =
      jwksUri === undefined
        ? new IssuerMetadataDocument({ ...common, issuer, metadataUrl: configurationUrl(issuer) })
        : undefined;
    const keySet = new KeySet({
      ...common,
      issuer: `the transmitter ${issuer}`,
      algorithms,
      uri: async () => jwksUri ?? (await metadata?.get())?.jwks_uri,
      refreshMs: REFRESH_MS,
    });
    return { keySet, metadata };
  }
}

/** SSF 1.0 section 6.2.1: the well-known part goes between the host and the path. */
function configurationUrl(issuer: string): string {
  const { origin, pathname } = new URL(issuer);
  return `${origin}/.well-known/ssf-configuration${pathname.replace(/\/$/, '')}`;
}
