/** Diagnostic rules about sender-constrained tokens. */
import { textOf, type DiagnosticRule } from '../diagnostic-context.js';
import { isJsonObject } from '../../../lib/json.js';

export const BINDING: readonly DiagnosticRule[] = [
  {
    name: 'no-certificates-here',
    match: ({ claims, seesCertificates }) =>
      !seesCertificates &&
      hasMember(claims.cnf, 'x5t#S256') && {
        message:
          'The token is bound to a client certificate, but this server receives no client certificates.',
        serverFix:
          'TLS_CLIENT_CA_FILE, or client_certificate_header in IDENTITY_FILE if a proxy terminates TLS.',
      },
  },
  {
    name: 'unknown-binding',
    match: ({ claims, provider }) =>
      claims.cnf !== undefined &&
      !hasMember(claims.cnf, 'jkt') &&
      !hasMember(claims.cnf, 'x5t#S256') && {
        message:
          'The token is bound (cnf) in a way that this server cannot check; it knows DPoP (jkt) and certificates (x5t#S256).',
        providerFix:
          provider === 'entra'
            ? 'It is a proof-of-possession token of Entra (SHR): have the client request a bearer token.'
            : 'Have the client request a bearer token or a DPoP-bound token.',
      },
  },
  {
    name: 'dpop-without-key',
    match: ({ claims }) =>
      textOf(claims.token_type).toLowerCase() === 'dpop' &&
      !hasMember(claims.cnf, 'jkt') && {
        message:
          'The issuer says that the token is bound to a key (token_type DPoP), but does not name the key, so the server cannot check a proof.',
        providerFix: 'Have the introspection endpoint return cnf.jkt (RFC 9449 section 6.2).',
      },
  },
  {
    name: 'dpop-required',
    match: ({ issuer, claims, setting }) =>
      issuer.dpop === 'required' &&
      !hasMember(claims.cnf, 'jkt') && {
        message: 'The token is not bound to a key, but this issuer requires it (DPoP).',
        providerFix:
          'The client must send a DPoP proof with its token request; the provider must support it (Keycloak: "Require DPoP bound tokens" of the client).',
        serverFix: `Or ${setting('dpop', 'allowed')}.`,
      },
  },
  {
    name: 'mtls-required',
    match: ({ issuer, claims, setting }) =>
      issuer.mtls === 'required' &&
      !hasMember(claims.cnf, 'x5t#S256') && {
        message: 'The token is not bound to a client certificate, but this issuer requires it.',
        providerFix:
          'The client must request its token over mutual TLS, and the provider must bind it (RFC 8705).',
        serverFix: `Or ${setting('mtls', 'allowed')}.`,
      },
  },
  {
    name: 'odd-binding',
    match: () => ({
      message: 'The token has an invalid cnf claim: a thumbprint is a SHA-256 in base64url, 43 characters.',
      providerFix: 'Have the provider write jkt or x5t#S256 as RFC 9449 and RFC 8705 say.',
    }),
  },
];

function hasMember(cnf: unknown, name: string): boolean {
  return isJsonObject(cnf) && Object.hasOwn(cnf, name);
}
