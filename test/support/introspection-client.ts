/** Common parts of the introspection client specs: a client of a real endpoint and behaviours of that endpoint. */
import type { IntrospectionSettings } from '../../src/config/settings.js';
import { AppError } from '../../src/core/app-error.js';
import {
  IntrospectionClient,
  type IntrospectionOptions,
} from '../../src/auth/introspection/introspection-client.js';
import { answerJson, IntrospectionEndpoint, type Behaviour } from './introspection-endpoint.js';

/** Contains characters that form encoding and HTTP Basic encode differently. */
export const SECRET = 'a secret: 100% of it & more';

/** Seconds since the epoch. */
export const now = () => Math.floor(Date.now() / 1000);

/** An endpoint that accepts the client `gate` with client_secret_basic. */
export function startEndpoint(): Promise<IntrospectionEndpoint> {
  return IntrospectionEndpoint.start({
    client: { id: 'gate', method: 'client_secret_basic', secret: SECRET },
  });
}

/** A client that the endpoint accepts unless settings or options differ. */
export async function clientOf(
  endpoint: IntrospectionEndpoint,
  settings: Partial<IntrospectionSettings> = {},
  options: Partial<IntrospectionOptions> = {},
): Promise<IntrospectionClient> {
  return new IntrospectionClient({
    issuer: endpoint.issuer,
    settings: await endpoint.settings(settings),
    endpoint: () => Promise.reject(new Error('The endpoint is configured, so it must not be looked up')),
    ...options,
  });
}

/** The error of the introspection; fails if the introspection returns claims. */
export async function refusal(claims: Promise<unknown>): Promise<AppError> {
  const error = await claims.then(
    () => 'claims',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

/** Status and reason of that error. */
export async function outcome(claims: Promise<unknown>): Promise<string> {
  const { status, code } = await refusal(claims);
  return `${status} ${code}`;
}

/** Responds with this JSON. */
export const answering =
  (body: unknown): Behaviour =>
  (response) =>
    answerJson(response, 200, body);

/** Responds with these bytes. */
export const raw =
  (body: string | Buffer, status = 200, headers: Record<string, string> = {}): Behaviour =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body);
  };
