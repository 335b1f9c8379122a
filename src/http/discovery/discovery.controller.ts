/** Discovery: RFC 9728 metadata, and the RFC 8414 document of the first issuer. */
import { Controller, Get, Header, NotFoundException, Options, Param } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { IssuerMetadataService } from '../../auth/keys/issuer-metadata.service.js';
import { PublicRoute } from '../../core/public-route.js';
import { PROOF_ALGORITHMS } from '../../auth/binding/sender-binding.js';
import type { AuthSettings, IssuerSettings, ServerSettings, Settings } from '../../config/settings.js';
import type { JsonObject } from '../../lib/json.js';
import { PolicyService } from '../../policy/policy.service.js';
import { authorizationServers } from './authorization-servers.js';
import { PRODUCT_NAME } from '../../lib/version.js';

const RESOURCE = '.well-known/oauth-protected-resource';
const SERVER = '.well-known/oauth-authorization-server';
const MINUTES_5 = 'public, max-age=300';

@Controller()
@PublicRoute()
export class DiscoveryController {
  private readonly server: ServerSettings;
  private readonly auth: AuthSettings;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly metadata: IssuerMetadataService,
    private readonly policy: PolicyService,
  ) {
    this.server = config.get('server', { infer: true });
    this.auth = config.get('auth', { infer: true });
  }

  /**
   * RFC 9728 section 2. The same document at the root and with the inserted path of the endpoint (section 3.1), as
   * configured and as clients see it.
   */
  @Get([RESOURCE, `${RESOURCE}/*path`])
  @Header('access-control-allow-origin', '*')
  @Header('cache-control', MINUTES_5)
  protectedResource(@Param('path') path?: string[]): JsonObject {
    this.requireOurPath(path);
    const { issuers, clientCertificateHeader } = this.auth;
    const scopes = this.policy.challengeScopes().map((scope) => this.first.scopePrefix + scope);
    const servers = authorizationServers(issuers);
    const seesCertificates = clientCertificateHeader ?? this.server.tls?.clientCaFile;
    return {
      resource: this.server.resource,
      ...(servers.length > 0 && { authorization_servers: servers }),
      ...(scopes.length > 0 && { scopes_supported: scopes }),
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
      ...(issuers.every(({ dpop }) => dpop === 'required') && { dpop_bound_access_tokens_required: true }),
      ...(seesCertificates && { tls_client_certificate_bound_access_tokens: true }),
      resource_name: PRODUCT_NAME,
    };
  }

  /** Document of the first issuer, for clients without RFC 9728. 503 while it is unavailable. */
  @Get([SERVER, `${SERVER}/*path`])
  @Header('access-control-allow-origin', '*')
  @Header('cache-control', MINUTES_5)
  async authorizationServer(@Param('path') path?: string[]): Promise<JsonObject> {
    this.requireOurPath(path);
    return this.metadata.get(this.first);
  }

  /** CORS preflight: stock clients send `MCP-Protocol-Version`. */
  @Options([RESOURCE, `${RESOURCE}/*path`, SERVER, `${SERVER}/*path`])
  @Header('access-control-allow-origin', '*')
  @Header('access-control-allow-methods', 'GET')
  @Header('access-control-allow-headers', 'MCP-Protocol-Version')
  @Header('access-control-max-age', '600')
  preflight(): void {}

  /** Issuer of challenges. */
  private get first(): IssuerSettings {
    return this.auth.issuers[0] as IssuerSettings;
  }

  private requireOurPath(path: string[] | undefined): void {
    const { resource, mcpPath } = this.server;
    if (path && ![mcpPath, new URL(resource).pathname].includes(`/${path.join('/')}`))
      throw new NotFoundException();
  }
}
