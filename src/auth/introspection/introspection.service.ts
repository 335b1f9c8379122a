/** Introspection of the one issuer that is configured for it. */
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

  /** @throws AppError `token_revoked` for an inactive token; `identity_unavailable` if the issuer is unavailable. */
  claims(token: string): Promise<Claims> {
    return this.asked.claims(token);
  }

  /** Like `claims`, without a substitute for a missing subject. */
  activeClaims(token: string): Promise<Claims> {
    return this.asked.activeClaims(token);
  }

  private get asked(): IntrospectionClient {
    if (!this.introspection) throw new Error('A token was to be introspected where no issuer is asked');
    return this.introspection;
  }

  /** State of the introspected issuer; empty without one. `unknown`: no request yet. */
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
