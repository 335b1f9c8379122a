/** Authorization servers in the metadata (RFC 9728 section 2, `authorization_servers`). Pure. */
import { isSecureUrl } from '../../config/rules.js';
import type { IssuerSettings } from '../../config/settings.js';

/** OpenID Connect Discovery 1.0 section 4: appended to the issuer. */
const OPENID = /\/\.well-known\/openid-configuration$/;
/** RFC 8414 section 3.1: inserted between host and path. */
const INSERTED =
  /^(https?:\/\/[^/]+)\/\.well-known\/(?:oauth-authorization-server|openid-configuration)(\/.*)?$/;

/**
 * Issuers whose metadata a client can fetch. An http identifier, as in AD FS, is replaced by the https issuer of its
 * configured `metadata_url`, and omitted without one.
 */
export function authorizationServers(issuers: readonly IssuerSettings[]): string[] {
  const servers = issuers.map(({ issuer, metadataUrl = '' }) =>
    isSecureUrl(issuer) ? issuer : issuerOfAddress(metadataUrl),
  );
  return [...new Set(servers.filter((server) => server !== undefined))];
}

function issuerOfAddress(url: string): string | undefined {
  const [, origin, path = ''] = INSERTED.exec(url) ?? [];
  if (origin !== undefined) return origin + path;
  return OPENID.test(url) ? url.replace(OPENID, '') : undefined;
}
