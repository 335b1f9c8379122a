/** Access token of the caller, kept only for token exchange (RFC 8693). */

/** Serialization, logging and inspection reveal no part of it. */
export class SubjectToken {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  /** For the configured token endpoint only. */
  reveal(): string {
    return this.#token;
  }
}
