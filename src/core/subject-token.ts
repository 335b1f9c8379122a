/** The caller's access token, held for the one thing that may be done with it: being exchanged for another (RFC 8693). */

/** Serialized, logged or inspected it shows nothing. */
export class SubjectToken {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  /** For the token endpoint that the operator names, and nobody else. */
  reveal(): string {
    return this.#token;
  }
}
