/** What specs of the introspection client share: a client of a real endpoint, and behaviours of that endpoint. */
import type { IntrospectionSettings } from '../../src/config/settings.js';
import { AppError } from '../../src/core/app-error.js';
import {
  IntrospectionClient,
  type IntrospectionOptions,
} from '../../src/auth/introspection/introspection-client.js';
import { answerJson, IntrospectionEndpoint, type Behaviour } from './introspection-endpoint.js';

/** Has characters that a form and HTTP Basic encode in different ways. */
export const SECRET = 'a secret: 100% of it & more';

/** Seconds since the epoch. */
export const now = () => Math.floor(Date.now() / 1000);

/** An endpoint that knows the client `gate` with client_secret_basic. */
export function startEndpoint(): Promise<IntrospectionEndpoint> {
  return IntrospectionEndpoint.start({
    client: { id: 'gate', method: 'client_secret_basic', secret: SECRET },
  });
}

/** A client that the endpoint accepts, where settings and options do not differ. */
export async function clientOf(
  endpoint: IntrospectionEndpoint,
  settings: Partial<IntrospectionSettings> = {},
  options: Partial<IntrospectionOptions> = {},
): Promise<IntrospectionClient> {
  return new IntrospectionClient({
    issuer: endpoint.issuer,
    settings: await endpoint.settings(settings),
    endpoint: () => Promise.reject(new Error('The address was configured')),
    ...options,
  });
}

/** The error that the introspection ends with; fails where it ends with claims. */
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

/** Answers with this JSON. */
export const answering =
  (body: unknown): Behaviour =>
  (response) =>
    answerJson(response, 200, body);

/** Answers with these bytes. */
export const raw =
  (body: string | Buffer, status = 200, headers: Record<string, string> = {}): Behaviour =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body);
  };
