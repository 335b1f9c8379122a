/** RFC 8693: an agent exchanges a user's token for its own token with the delegation. */
import { jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { Context, errors, Provider } from 'oidc-provider';
import { findPerson } from './people.js';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';

const PARAMETERS = [
  'subject_token',
  'subject_token_type',
  'requested_token_type',
  'actor_token',
  'resource',
  'audience',
  'scope',
];

/** RFC 8693 section 4.1: the outermost actor is the current one. */
export interface Actor {
  readonly sub: string;
  readonly act?: Actor;
}

export interface ExchangeFacts {
  readonly issuer: string;
  readonly resource: string;
  /** The public keys of the issuer. */
  readonly keys: JWTVerifyGetKey;
  /** Lifetime in seconds. An exchanged token never outlives its subject token. */
  readonly lifetime: number;
  readonly resourceServer: object;
}

export function registerTokenExchange(
  provider: Provider,
  refusal: typeof errors,
  facts: ExchangeFacts,
): void {
  const handler = async (context: Context): Promise<void> => {
    const { client, params } = context.oidc;
    if (client.clientAuthMethod === 'none') throw new refusal.InvalidClient('an agent must authenticate');
    checkRequest(params, facts.resource, refusal);
    const subject = await verifySubject(params.subject_token, facts, refusal);
    const token = new provider.AccessToken({
      accountId: String(subject.sub),
      client,
      expiresIn: Math.min(facts.lifetime, Number(subject.exp) - Math.floor(Date.now() / 1000)),
      scope: narrowed(params.scope, subject.scope),
      resourceServer: new provider.ResourceServer(facts.resource, facts.resourceServer),
    });
    context.state.act = actorOf(client.clientId, subject.act as Actor | undefined);
    context.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN_TYPE,
      token_type: 'Bearer',
      expires_in: token.expiration,
      scope: token.scope,
    };
  };
  provider.registerGrantType(TOKEN_EXCHANGE, handler, PARAMETERS);
}

/** Wraps the earlier actors in the new one. */
export function actorOf(client: string, earlier: Actor | undefined): Actor {
  return earlier ? { sub: client, act: earlier } : { sub: client };
}

/** The requested scopes that the subject token has; without a request, all its scopes. */
export function narrowed(requested: unknown, granted: unknown): string {
  const has = words(granted);
  const wanted = requested === undefined ? has : words(requested);
  return has.filter((scope) => wanted.includes(scope)).join(' ');
}

function checkRequest(params: Context['oidc']['params'], resource: string, refusal: typeof errors): void {
  if (params.actor_token !== undefined) {
    throw new refusal.InvalidRequest('actor_token is not supported: the actor is the authenticated client');
  }
  if (params.subject_token_type !== ACCESS_TOKEN_TYPE) {
    throw new refusal.InvalidRequest(`subject_token_type must be ${ACCESS_TOKEN_TYPE}`);
  }
  if (![undefined, ACCESS_TOKEN_TYPE].includes(params.requested_token_type as string | undefined)) {
    throw new refusal.InvalidRequest(`requested_token_type must be ${ACCESS_TOKEN_TYPE}`);
  }
  for (const target of [params.resource, params.audience]) {
    if (target !== undefined && target !== resource) {
      throw new refusal.InvalidTarget(`this issuer issues tokens only for ${resource}`);
    }
  }
}

async function verifySubject(
  token: unknown,
  facts: ExchangeFacts,
  refusal: typeof errors,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(String(token), facts.keys, {
      issuer: facts.issuer,
      audience: facts.resource,
      typ: 'at+jwt',
      requiredClaims: ['sub', 'exp', 'client_id'],
    });
    if (!findPerson(payload.sub)) throw new Error('unknown user');
    return payload;
  } catch (error) {
    throw new refusal.InvalidGrant(`subject_token is not usable: ${(error as Error).message}`);
  }
}

function words(text: unknown): string[] {
  return typeof text === 'string' ? text.split(' ').filter((word) => word !== '') : [];
}
