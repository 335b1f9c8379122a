/** Report lines about the metadata that clients use for login. Pure. */
import type { IssuerSettings } from '../../config/settings.js';
import type { JsonObject } from '../../lib/json.js';
import type { Line } from './report.js';
import { formatList } from '../../lib/format-text.js';
import { textsOf } from './diagnostic-context.js';

/** Login metadata (RFC 8414, OAuth 2.1, MCP authorization). */
export function loginLines(document: JsonObject): Line[] {
  const lacking = ['authorization_endpoint', 'token_endpoint'].filter(
    (name) => typeof document[name] !== 'string',
  );
  const methods = textsOf(document.code_challenge_methods_supported);
  const registers = document.registration_endpoint !== undefined;
  const takesDocuments = document.client_id_metadata_document_supported === true;
  return [
    lacking.length === 0
      ? { name: 'login', state: 'ok', message: 'the metadata names the authorization and token endpoints' }
      : {
          name: 'login',
          state: 'warn',
          message: `the metadata has no ${lacking.join(' and no ')}: clients cannot log in`,
        },
    methods.includes('S256')
      ? { name: 'PKCE', state: 'ok', message: 'S256' }
      : {
          name: 'PKCE',
          state: 'warn',
          message:
            'the metadata does not list S256 (code_challenge_methods_supported): MCP clients must then refuse the login, and many do',
        },
    registers || takesDocuments
      ? {
          name: 'registration',
          state: 'ok',
          message: `clients can register themselves: ${[takesDocuments && 'with a client metadata document (client_id_metadata_document)', registers && 'at the registration_endpoint, unless it requires credentials (Okta)'].filter(Boolean).join(', or ')}`,
        }
      : {
          name: 'registration',
          state: 'warn',
          message:
            'clients cannot register themselves (no registration_endpoint, no client_id_metadata_document_supported): register each client at the provider, and configure its client id',
        },
  ];
}

/** Compares the sender constraints of this server with the capabilities of the issuer. */
export function bindingLines({ dpop, mtls }: IssuerSettings, document: JsonObject): Line[] {
  const lines: Line[] = [];
  if (dpop === 'required') {
    const algorithms = textsOf(document.dpop_signing_alg_values_supported);
    lines.push(
      algorithms.length > 0
        ? {
            name: 'DPoP',
            state: 'ok',
            message: `required by the gateway and supported by the issuer: ${formatList(algorithms, 20)}`,
          }
        : {
            name: 'DPoP',
            state: 'warn',
            message:
              'required by the gateway, but the metadata of the issuer does not announce it (dpop_signing_alg_values_supported)',
          },
    );
  }
  if (mtls === 'required') {
    lines.push(
      document.tls_client_certificate_bound_access_tokens === true
        ? { name: 'mTLS', state: 'ok', message: 'required by the gateway and supported by the issuer' }
        : {
            name: 'mTLS',
            state: 'warn',
            message:
              'required by the gateway, but the metadata of the issuer does not announce it (tls_client_certificate_bound_access_tokens)',
          },
    );
  }
  return lines;
}
