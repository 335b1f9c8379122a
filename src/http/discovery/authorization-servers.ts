/** The authorization servers that clients are sent to (RFC 9728 section 2, `authorization_servers`). Pure. */
import { isSecureUrl } from '../../config/rules.js';
import type { IssuerSettings } from '../../config/settings.js';

/** OpenID Connect Discovery 1.0 section 4: the address of the metadata is the issuer with this behind it. */
const OPENID = /\/\.well-known\/openid-configuration$/;
/** RFC 8414 section 3.1: the well-known part is between the host and the path. */
const INSERTED =
  /^(https?:\/\/[^/]+)\/\.well-known\/(?:oauth-authorization-server|openid-configuration)(\/.*)?$/;

/**
 * Issuer identifiers that a client can fetch the metadata of. An http identifier, such as that of AD FS, is none: in its
 * place is the https issuer of its configured `metadata_url`, and nothing where there is no such address.
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
