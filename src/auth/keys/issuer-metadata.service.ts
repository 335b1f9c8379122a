/** Metadata documents of all issuers, each in an {@link IssuerMetadataDocument}. */
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { EventLogger } from '../../core/event-logger.js';
import type { IssuerSettings, Settings } from '../../config/settings.js';
import type { JsonObject } from '../../lib/json.js';
import { IssuerMetadataDocument } from './issuer-metadata-document.js';

@Injectable()
export class IssuerMetadataService implements OnApplicationShutdown {
  private readonly logger = new EventLogger(IssuerMetadataService.name);
  private readonly documents: ReadonlyMap<string, IssuerMetadataDocument>;

  constructor(config: ConfigService<Settings, true>) {
    const { issuers, refusesDemoIssuer } = config.get('auth', { infer: true });
    this.documents = new Map(
      issuers.map(({ issuer, metadataUrl, keyMaxAgeSeconds }) => [
        issuer,
        new IssuerMetadataDocument({
          issuer,
          metadataUrl,
          refusesDemoIssuer,
          maxAgeMs: keyMaxAgeSeconds * 1000,
          log: this.logger,
        }),
      ]),
    );
  }

  /**
   * @throws AppError `identity_unavailable` if the document is unavailable or names another issuer (RFC 8414 section
   * 3.3).
   */
  get({ issuer }: Pick<IssuerSettings, 'issuer'>): Promise<JsonObject> {
    return this.forIssuer(issuer).get();
  }

  /** Starts the background refresh, for issuers whose keys depend on their metadata. */
  keep({ issuer }: IssuerSettings): void {
    this.forIssuer(issuer).start();
  }

  onApplicationShutdown(): void {
    for (const document of this.documents.values()) document.stop();
  }

  private forIssuer(issuer: string): IssuerMetadataDocument {
    const document = this.documents.get(issuer);
    if (!document) throw new Error('Metadata was asked for of an issuer that is not configured');
    return document;
  }
}
