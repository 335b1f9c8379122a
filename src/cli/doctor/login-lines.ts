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
      ? { name: 'login', state: 'ok', message: 'clients find where to log in, and where to get tokens' }
      : {
          name: 'login',
          state: 'warn',
          message: `the metadata has no ${lacking.join(' and no ')}: clients cannot log in by it`,
        },
    methods.includes('S256')
      ? { name: 'PKCE', state: 'ok', message: 'S256' }
      : {
          name: 'PKCE',
          state: 'warn',
          message:
            'the metadata does not say that S256 is supported (code_challenge_methods_supported): clients of MCP must then refuse to log in, and many do',
        },
    registers || takesDocuments
      ? {
          name: 'registration',
          state: 'ok',
          message: `clients can register by themselves: ${[takesDocuments && 'by a document of their own (client_id_metadata_document)', registers && 'at the registration_endpoint, unless that wants credentials (Okta)'].filter(Boolean).join(', or ')}`,
        }
      : {
          name: 'registration',
          state: 'warn',
          message:
            'clients cannot register by themselves (no registration_endpoint, no client_id_metadata_document_supported): register each at the provider, and give it its client id',
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
            message: `required here, and supported there: ${formatList(algorithms, 20)}`,
          }
        : {
            name: 'DPoP',
            state: 'warn',
            message:
              'required here, and the metadata does not say that the issuer can do it (dpop_signing_alg_values_supported)',
          },
    );
  }
  if (mtls === 'required') {
    lines.push(
      document.tls_client_certificate_bound_access_tokens === true
        ? { name: 'mTLS', state: 'ok', message: 'required here, and supported there' }
        : {
            name: 'mTLS',
            state: 'warn',
            message:
              'required here, and the metadata does not say that the issuer can do it (tls_client_certificate_bound_access_tokens)',
          },
    );
  }
  return lines;
}
