/** Signing keys of all issuers, each in a {@link KeySet}. */
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { JWSHeaderParameters } from 'jose';
import { EventLogger } from '../../core/event-logger.js';
import type { IssuerSettings, Settings } from '../../config/settings.js';
import { IssuerMetadataService } from './issuer-metadata.service.js';
import { KeySet, type KeySetStatus, type VerificationKey } from './key-set.js';

/** State of the keys of one issuer. */
export interface IssuerKeys extends KeySetStatus {
  readonly issuer: string;
}

@Injectable()
export class JwksService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new EventLogger(JwksService.name);
  /** Issuers whose tokens are verified by signature only. */
  private readonly issuers: readonly IssuerSettings[];
  /** By exact issuer. The keys of an introspected issuer are fetched on demand. */
  private readonly keySets: ReadonlyMap<string, KeySet>;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly metadata: IssuerMetadataService,
  ) {
    const { issuers } = config.get('auth', { infer: true });
    this.issuers = issuers.filter(({ introspection }) => !introspection);
    this.keySets = new Map(issuers.map((issuer) => [issuer.issuer, this.keySetOf(issuer)]));
  }

  /** Starts the fetches. The server starts without keys and becomes ready when it has them. */
  onApplicationBootstrap(): void {
    for (const issuer of this.issuers) {
      if (issuer.jwksUri === undefined) this.metadata.keep(issuer);
      this.forIssuer(issuer).start();
    }
  }

  onApplicationShutdown(): void {
    for (const keySet of this.keySets.values()) keySet.stop();
  }

  /** True when the keys of every issuer are known. Fetches missing ones. */
  async ready(): Promise<boolean> {
    const ready = await Promise.all(this.issuers.map((issuer) => this.forIssuer(issuer).ready()));
    return ready.every(Boolean);
  }

  status(): IssuerKeys[] {
    return this.issuers.map((issuer) => ({ issuer: issuer.issuer, ...this.forIssuer(issuer).status() }));
  }

  /**
   * Keys of this issuer that may have signed a token with this header. `jku`, `x5u` and `jwk` are ignored.
   * @throws AppError `identity_unavailable` if the keys are unavailable.
   */
  candidates(
    issuer: IssuerSettings,
    header: JWSHeaderParameters & { alg: string },
  ): Promise<readonly VerificationKey[]> {
    return this.forIssuer(issuer).candidates(header);
  }

  /**
   * True if a key that verified a token still belongs to the issuer.
   * @throws AppError `identity_unavailable` if the keys exceed their maximum age.
   */
  holds(issuer: IssuerSettings, keyId: string): boolean {
    return this.forIssuer(issuer).hasKey(keyId);
  }

  /** Reports a token whose signature matches no key: the keys may be outdated. */
  refreshAfterBadSignature(issuer: IssuerSettings): void {
    this.forIssuer(issuer).refreshAfterBadSignature();
  }

  private forIssuer({ issuer }: IssuerSettings): KeySet {
    const keySet = this.keySets.get(issuer);
    if (!keySet) throw new Error('Keys were asked for of an issuer that is not configured');
    return keySet;
  }

  private keySetOf(issuer: IssuerSettings): KeySet {
    return new KeySet({
      issuer: issuer.issuer,
      algorithms: issuer.algorithms,
      acceptsKeyWithoutKid: issuer.acceptsKeyWithoutKid,
      uri: async () => issuer.jwksUri ?? (await this.metadata.get(issuer)).jwks_uri,
      refreshMs: issuer.keyRefreshSeconds * 1000,
      maxAgeMs: issuer.keyMaxAgeSeconds * 1000,
      log: this.logger,
    });
  }
}
