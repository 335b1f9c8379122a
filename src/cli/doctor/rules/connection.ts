/** Diagnostic rules about connections to an issuer. */
import type { Advice } from '../report.js';

/** Proxy failures first: their messages may contain those of others. */
const CONNECTION: readonly (readonly [rule: string, form: RegExp, message: string, serverFix?: string])[] = [
  [
    'proxy-credentials',
    /The proxy \S+ answered 407/,
    'The proxy requires credentials, or rejects the credentials of its URL.',
    'HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, with special characters percent-encoded.',
  ],
  [
    'proxy-refuses',
    /The proxy \S+ answered \d+/,
    'The proxy does not connect to that host.',
    'Have the proxy allow the host, or name the host in NO_PROXY if it is reachable without a proxy.',
  ],
  [
    'proxy-unreachable',
    /The proxy \S+ cannot be used/,
    'The proxy does not respond.',
    'HTTPS_PROXY must name the host and the port of the proxy.',
  ],
  [
    'proxy-certificate',
    /The proxy \S+ reached .*(self.signed|unable to (verify|get)|UNABLE_TO)/i,
    'The certificate authority behind the proxy is unknown to this machine: usually the proxy inspects TLS.',
    'Give the server the certificate of that authority: NODE_EXTRA_CA_CERTS=/path/to/ca.pem.',
  ],
  [
    'name-unknown',
    /ENOTFOUND|EAI_AGAIN/,
    'The host name cannot be resolved: a typing error, or this machine uses another DNS.',
  ],
  [
    'nobody-listens',
    /ECONNREFUSED/,
    'No server listens at that address: a wrong port, or the issuer is down.',
  ],
  [
    'certificate-unknown',
    /self.signed|unable to (verify|get)|UNABLE_TO/i,
    'The certificate authority is unknown to this machine.',
    'Give the server the certificate of that authority: NODE_EXTRA_CA_CERTS=/path/to/ca.pem.',
  ],
  [
    'certificate-wrong',
    /certificate|ERR_TLS|altname/i,
    'Its certificate has expired, or is for another name.',
  ],
  [
    'no-answer',
    /in time|within|timeout|ETIMEDOUT|aborted|EHOSTUNREACH|ENETUNREACH/i,
    'No response: a firewall, or this network requires an HTTP proxy.',
    'If a proxy is required: HTTPS_PROXY=http://HOST:PORT (docs/guides/run-behind-a-proxy.md).',
  ],
  [
    'redirected',
    /redirect/i,
    'The response is a redirect. The gateway follows no redirects, because the target could be another server.',
    'Configure the target address: the exact issuer, metadata_url or jwks_uri.',
  ],
  ['not-json', /JSON/, 'The response is not JSON: usually a login page, or a page of a proxy.'],
  [
    'not-found',
    /answered 404/,
    'The well-known addresses have no metadata: usually the spelling of the issuer differs.',
  ],
  ['issuer-in-trouble', /answered 5\d\d/, 'The issuer, or a proxy in front of it, reports a server error.'],
  ['forbidden', /answered 40[13]/, 'The address requires authentication: metadata and keys must be public.'],
];

/** @param failure message of the network or the issuer. */
export function adviseOnConnection(failure: string): Advice | undefined {
  const found = CONNECTION.find(([, form]) => form.test(failure));
  if (!found) return undefined;
  const [rule, , message, serverFix] = found;
  return { rule, message, ...(serverFix !== undefined && { serverFix }) };
}
