/** Client of the administration API of a running server. */
import { escapeControlChars } from '../../lib/format-text.js';
import { isJsonObject } from '../../lib/json.js';
import { readStdin } from '../read-stdin.js';
import { UsageError } from '../usage.js';
import { causeChain, rootCause } from '../../lib/root-cause.js';

const TIMEOUT_MS = 10_000;

/** Maximum seconds of a JavaScript Date. */
const MAX_SECONDS = 8.64e12;

export type ServerRequest =
  | { readonly kind: 'list' }
  /** Members of the administration API. */
  | { readonly kind: 'revoke'; readonly members: object }
  | { readonly kind: 'withdraw'; readonly id: string };

/** @throws UsageError without a token on stdin. */
export async function readAdminToken(): Promise<string> {
  const token = (await readStdin('Paste an administrator token and press Ctrl-D.')).trim();
  // The error of fetch about an invalid header quotes it.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError('stdin contains no token: send the administrator token, unchanged, on one line.');
  }
  return token;
}

/**
 * @param base address of the revocations.
 * @returns members of the administration API; undefined if no revocation has the id.
 * @throws Error with a public message without the token.
 */
export async function askServer(
  request: ServerRequest,
  base: URL,
  token: string,
): Promise<readonly object[] | undefined> {
  const response = await send(request, base, token);
  if (request.kind === 'withdraw' && response.status === 204) return [];
  const answer = await objectIn(response);
  const { code, message } = (isJsonObject(answer.error) ? answer.error : {}) as Record<string, unknown>;
  if (request.kind === 'withdraw' && response.status === 404 && isRevocationUnknown(message)) {
    return undefined;
  }
  if (!response.ok) {
    const why = typeof message === 'string' ? escapeControlChars(message) : 'no reason';
    const hint =
      response.status === 404 && code !== undefined
        ? '. The address is wrong, or REVOCATION_MAX_AGE_SECONDS=0 disables revocation on that server'
        : '';
    throw new Error(`The server answered ${response.status}: ${why}${hint}`);
  }
  const revocations = request.kind === 'list' ? answer.revocations : [answer];
  if (!Array.isArray(revocations) || !revocations.every(isRevocation)) {
    throw new Error(`${base.origin} is not a gateway: its response contains no revocation. Check --server.`);
  }
  return revocations;
}

async function send(request: ServerRequest, base: URL, token: string): Promise<Response> {
  const ask = (path: string, method: string, body?: object) =>
    fetch(base.href + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: Error) => {
      throw new Error(connectionFailure(error, base));
    });
  switch (request.kind) {
    case 'list':
      return ask('', 'GET');
    case 'withdraw':
      return ask(`/${encodeURIComponent(request.id)}`, 'DELETE');
    case 'revoke':
      return ask('', 'POST', request.members);
  }
}

/** JSON object of a response; empty for another body. */
async function objectIn(response: Response): Promise<Record<string, unknown>> {
  const json: unknown = await response.json().catch(() => undefined);
  return isJsonObject(json) ? json : {};
}

function isRevocation(value: unknown): value is object {
  if (!isJsonObject(value)) return false;
  const { id, kind, issuer, value: of, issued_before: before } = value;
  const isTime = typeof before === 'number' && Math.abs(before) <= MAX_SECONDS;
  return [id, kind, issuer, of].every((one) => typeof one === 'string') && isTime;
}

function isRevocationUnknown(message: unknown): boolean {
  return message === 'Unknown revocation';
}

/** Messages for connection errors of Node.js and undici. */
const FAILURES: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'no server listens on this port'],
  [/ENOTFOUND|EAI_AGAIN/, 'unknown host name'],
  [/EPROTO|ERR_SSL|WRONG_VERSION/, 'the server does not use TLS; try http'],
  [/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/, 'its certificate is not trusted (set NODE_EXTRA_CA_CERTS)'],
  [/ECONNRESET|UND_ERR_SOCKET|HPE_/, 'the server closed the connection; try https'],
  [/redirect/, 'the server sent a redirect, which is not followed with a token'],
  [/bad port/, 'this port is blocked for HTTP'],
];

/** Names the server, the failure and its cause. */
function connectionFailure(error: Error, { origin }: URL): string {
  const proxy = causeChain(error).find(({ name }) => name === 'ProxyError');
  if (proxy) return `${origin} is unavailable: ${escapeControlChars(String(proxy.message))}.`;
  const { code, message: reason } = (rootCause(error.cause) ?? {}) as Partial<NodeJS.ErrnoException>;
  const what = error.name === 'TimeoutError' ? 'time-out' : (code ?? (reason || error.message));
  const why = FAILURES.find(([form]) => form.test(`${what} ${reason ?? ''}`))?.[1];
  return `${origin} is unavailable (${escapeControlChars(what)})${why === undefined ? '' : `: ${why}`}.`;
}
