/** Credentials of the gateway at an HTTP upstream, from `UPSTREAMS_FILE`. */
import { readClient } from './client-entry.js';
import type { TokenRequestSettings, UpstreamAuthSettings } from './settings.js';
import {
  texts,
  type AuthEntry,
  type ClientCredentialsEntry,
  type IdentityProviderEntry,
  type IdJagEntry,
  type SecretAuthEntry,
  type TokenExchangeEntry,
  type TokenRequestEntry,
  type UpstreamEntry,
} from './upstream-entries.js';
import { secretOf, type Reading } from './upstream-secrets.js';
import type { FaultReporter } from './yaml-file.js';

/** Headers that the gateway, HTTP or MCP uses. */
const TAKEN_HEADER =
  /^(host|cookie|connection|content-.*|transfer-encoding|accept|mcp-.*|traceparent|tracestate)$/i;
/** RFC 9110 section 5.5, without leading and trailing spaces. */
const HEADER_VALUE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/** Authentication of the gateway at an HTTP upstream. */
export function toAuth(entry: AuthEntry, place: string, reading: Reading): UpstreamAuthSettings {
  const { report } = reading;
  switch (entry.method) {
    case 'secret': {
      const { secret_file: file, header = 'Authorization' } = entry as SecretAuthEntry;
      const secret = secretOf(file, `${place}secret_file`, reading);
      if (secret !== '' && !HEADER_VALUE.test(secret)) {
        report(`${place}secret_file: `, 'the file holds characters that a header cannot carry');
      }
      if (TAKEN_HEADER.test(header)) report(`${place}header: `, 'is a reserved header: choose another name');
      const isBare = header.toLowerCase() === 'authorization' && !secret.includes(' ');
      return { method: 'secret', header, value: isBare ? `Bearer ${secret}` : secret };
    }
    case 'client_credentials':
      return {
        method: 'client_credentials',
        ...toTokenRequest(entry as ClientCredentialsEntry, place, reading),
      };
    case 'token_exchange': {
      const requestContext = entry as TokenExchangeEntry;
      return {
        method: 'token_exchange',
        actor: requestContext.actor_token,
        ...toTokenRequest(requestContext, place, reading),
      };
    }
    case 'id_jag': {
      const jag = entry as IdJagEntry;
      const provider = jag.identity_provider as IdentityProviderEntry;
      const own = toTokenRequest(jag, place, reading);
      if (jag.issuer === undefined) report(`${place}issuer: `, 'is required: the grant is made out to it');
      for (const name of ['audience', 'resource', 'scope'] as const) {
        if (provider[name] !== undefined) {
          report(`${place}identity_provider.${name}: `, 'belongs one level up: it is what the grant is for');
        }
      }
      const grant = toTokenRequest(provider, `${place}identity_provider.`, reading);
      return {
        method: 'id_jag',
        ...own,
        grant: { ...grant, audience: own.issuer, resource: own.resource, scope: own.scope },
      };
    }
  }
}

function toTokenRequest(
  entry: TokenRequestEntry,
  place: string,
  { secrets, report }: Reading,
): TokenRequestSettings {
  const { scope } = entry;
  return {
    ...readClient(entry, place, secrets, report),
    tokenEndpoint: entry.token_endpoint,
    issuer: entry.issuer ?? entry.token_endpoint,
    audience: entry.audience,
    resource: entry.resource,
    scope: scope === undefined ? undefined : texts(scope).join(' '),
  };
}

/** Header with the identity of the caller; must differ from the header of {@link toAuth}. */
export function identityHeaderOf(
  { identity_header: header, auth }: UpstreamEntry,
  place: string,
  report: FaultReporter,
) {
  if (!header) return undefined;
  const own = auth as { method?: string; header?: string } | undefined;
  const other = own?.method === 'secret' ? (own.header ?? 'Authorization') : own && 'Authorization';
  if (TAKEN_HEADER.test(header.name) || header.name.toLowerCase() === other?.toLowerCase()) {
    report(`${place}identity_header.name: `, 'is a reserved header: choose another name');
  }
  return header;
}
