/** The one issuer, if any, that is asked about its tokens instead of being believed by its signature. */
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { isSecureUrl } from '../../config/rules.js';
import type { IntrospectionSettings, IssuerSettings, Settings } from '../../config/settings.js';
import { IntrospectionClient } from './introspection-client.js';
import { IssuerMetadataService } from '../keys/issuer-metadata.service.js';
import type { Claims } from '../presets/presets.js';

@Injectable()
export class IntrospectionService {
  private readonly introspection: IntrospectionClient | undefined;
  private readonly issuer: string | undefined;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly metadata: IssuerMetadataService,
  ) {
    const issuer = config.get('auth', { infer: true }).issuers.find(({ introspection }) => introspection);
    this.issuer = issuer?.issuer;
    if (issuer?.introspection) this.introspection = this.of(issuer, issuer.introspection);
  }

  /**
   * @throws AppError `token_revoked` where the issuer says that the token is not active; `identity_unavailable` where it
   *   cannot be asked.
   */
  claims(token: string): Promise<Claims> {
    return this.asked.claims(token);
  }

  /** As `claims`, with no subject where the answer names none. */
  activeClaims(token: string): Promise<Claims> {
    return this.asked.activeClaims(token);
  }

  private get asked(): IntrospectionClient {
    if (!this.introspection) throw new Error('A token was to be introspected where no issuer is asked');
    return this.introspection;
  }

  /** How it stands with the issuer that is asked; none where no issuer is. `unknown`: nothing was asked yet. */
  status(): { readonly issuer: string; readonly introspection: 'ok' | 'failing' | 'unknown' }[] {
    const { issuer, introspection } = this;
    return issuer === undefined || !introspection
      ? []
      : [{ issuer, introspection: introspection.lastAnswer ?? 'unknown' }];
  }

  private of(issuer: IssuerSettings, settings: IntrospectionSettings): IntrospectionClient {
    return new IntrospectionClient({
      issuer: issuer.issuer,
      settings,
      endpoint: async () => settings.endpoint ?? endpointIn(await this.metadata.get(issuer)),
    });
  }
}

function endpointIn({ introspection_endpoint: endpoint }: Readonly<Record<string, unknown>>): string {
  if (typeof endpoint === 'string' && isSecureUrl(endpoint)) return endpoint;
  throw new Error('The metadata of the issuer has no introspection_endpoint that is https');
}
