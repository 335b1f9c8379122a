/** Credentials of this server at an authorization server. */
/** Client id of this server and its authentication method (RFC 6749 section 2.3, RFC 7523). */
export interface ClientSettings {
  readonly clientId: string;
  readonly authentication:
    | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly secret: string }
    /** PEM, PKCS #8 (RFC 7523). */
    | {
        readonly method: 'private_key_jwt';
        readonly key: string;
        readonly algorithm: string;
        readonly keyId: string | undefined;
      };
}
