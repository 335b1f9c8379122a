/** Diagnostic rules about connections to an issuer. */
import type { Advice } from '../report.js';

/** Proxy failures first: their messages may contain those of others. */
const CONNECTION: readonly (readonly [rule: string, form: RegExp, message: string, serverFix?: string])[] = [
  [
    'proxy-credentials',
    /The proxy \S+ answered 407/,
    'The proxy asks for credentials, or does not accept those of its URL.',
    'HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT, with special characters percent-encoded.',
  ],
  [
    'proxy-refuses',
    /The proxy \S+ answered \d+/,
    'The proxy does not connect to that host.',
    'Have the proxy allow the host, or name the host in NO_PROXY where it is reached without a proxy.',
  ],
  [
    'proxy-unreachable',
    /The proxy \S+ cannot be used/,
    'The proxy itself gives no answer.',
    'HTTPS_PROXY must name the host and the port of the proxy.',
  ],
  [
    'proxy-certificate',
    /The proxy \S+ reached .*(self.signed|unable to (verify|get)|UNABLE_TO)/i,
    'The certificate behind the proxy is of an authority that this machine does not know: mostly a proxy that inspects TLS.',
    'Give the server the certificate of that authority: NODE_EXTRA_CA_CERTS=/path/to/ca.pem.',
  ],
  [
    'name-unknown',
    /ENOTFOUND|EAI_AGAIN/,
    'The name of the host cannot be looked up from here: a typing error, or a machine without that DNS.',
  ],
  ['nobody-listens', /ECONNREFUSED/, 'Nothing listens at that address: a wrong port, or the issuer is down.'],
  [
    'certificate-unknown',
    /self.signed|unable to (verify|get)|UNABLE_TO/i,
    'Its certificate is of an authority that this machine does not know.',
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
    'No answer from there: a firewall, or this network requires an HTTP proxy.',
    'Where a proxy is required: HTTPS_PROXY=http://HOST:PORT (docs/guides/run-behind-a-proxy.md).',
  ],
  [
    'redirected',
    /redirect/i,
    'It answers with a redirect, and redirects are not followed: whoever could redirect could be another.',
    'Name the last address itself: the exact issuer, metadata_url or jwks_uri.',
  ],
  ['not-json', /JSON/, 'It answers with something that is no JSON: mostly a page for people, or of a proxy.'],
  [
    'not-found',
    /answered 404/,
    'There is nothing at the well-known addresses: mostly the issuer is not spelled as it is there.',
  ],
  [
    'issuer-in-trouble',
    /answered 5\d\d/,
    'The issuer has trouble of its own, or a proxy in front of it has.',
  ],
  ['forbidden', /answered 40[13]/, 'It does not answer strangers: metadata and keys must be public.'],
];

/** @param failure message of the network or the issuer. */
export function adviseOnConnection(failure: string): Advice | undefined {
  const found = CONNECTION.find(([, form]) => form.test(failure));
  if (!found) return undefined;
  const [rule, , message, serverFix] = found;
  return { rule, message, ...(serverFix !== undefined && { serverFix }) };
}
