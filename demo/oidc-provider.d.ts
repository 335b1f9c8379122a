/** The parts of oidc-provider that the demo uses; the package has no types. */
declare module 'oidc-provider' {
  import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

  export interface Interaction {
    readonly prompt: {
      readonly name: string;
      readonly details: {
        readonly missingOIDCScope?: readonly string[];
        readonly missingResourceScopes?: Readonly<Record<string, readonly string[]>>;
      };
    };
    readonly params: Readonly<Record<string, unknown>>;
    readonly session?: { readonly accountId: string };
    readonly grantId?: string;
  }

  export interface Client {
    readonly clientId: string;
    readonly clientAuthMethod: string;
  }

  /** The Koa context with the additions of the provider. */
  export interface Context {
    readonly path: string;
    readonly query: Readonly<Record<string, unknown>>;
    type: string;
    readonly req: IncomingMessage;
    readonly res: ServerResponse;
    readonly state: Record<string, unknown>;
    body: unknown;
    redirect(url: string): void;
    readonly cookies: { set(name: string, value: null, options: { signed: boolean }): void };
    readonly oidc: {
      readonly client: Client;
      readonly params: Readonly<Record<string, unknown>>;
      readonly body?: Readonly<Record<string, unknown>>;
    };
  }

  export interface Grant {
    addOIDCScope(scope: readonly string[]): void;
    rejectOIDCScope(scope: readonly string[]): void;
    addResourceScope(resource: string, scope: readonly string[]): void;
    rejectResourceScope(resource: string, scope: readonly string[]): void;
    save(): Promise<string>;
  }

  export interface AccessToken {
    scope?: string;
    readonly accountId?: string;
    readonly expiration: number;
    save(): Promise<string>;
  }

  export interface ResourceServer {
    readonly audience: string;
  }

  export class Provider {
    constructor(issuer: string, configuration: Record<string, unknown>);
    readonly Grant: {
      new (input: { accountId: string; clientId: string }): Grant;
      find(id: string): Promise<Grant | undefined>;
    };
    readonly AccessToken: new (input: {
      accountId: string;
      client: Client;
      expiresIn: number;
      scope: string;
      resourceServer: ResourceServer;
    }) => AccessToken;
    readonly ResourceServer: new (identifier: string, info: object) => ResourceServer;
    callback(): RequestListener;
    use(middleware: (context: Context, next: () => Promise<void>) => Promise<void>): this;
    registerGrantType(
      name: string,
      handler: (context: Context) => Promise<void>,
      parameters: readonly string[],
    ): void;
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>;
    interactionResult(
      request: IncomingMessage,
      response: ServerResponse,
      result: Record<string, unknown>,
    ): Promise<string>;
  }

  type ErrorClass = new (description: string) => Error;
  export const errors: Readonly<
    Record<'InvalidClient' | 'InvalidGrant' | 'InvalidRequest' | 'InvalidTarget', ErrorClass>
  >;
}
