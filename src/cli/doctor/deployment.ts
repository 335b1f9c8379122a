/** Services of the server that the doctor uses. */
import type { IntrospectionService } from '../../auth/introspection/introspection.service.js';
import type { IssuerMetadataService } from '../../auth/keys/issuer-metadata.service.js';
import type { JwksService } from '../../auth/keys/jwks.service.js';
import type { TokenVerifier } from '../../auth/verify/token-verifier.js';
import type { Settings } from '../../config/settings.js';
import type { NameSetting } from './setting.js';

export interface Deployment {
  readonly settings: Settings;
  readonly setting: NameSetting;
  readonly verifier: TokenVerifier;
  readonly jwks: JwksService;
  readonly introspection: IntrospectionService;
  readonly metadata: IssuerMetadataService;
}

/** True if a client certificate can reach this server. */
export function seesCertificates({ auth, server }: Settings): boolean {
  return (auth.clientCertificateHeader ?? server.tls?.clientCaFile) !== undefined;
}
