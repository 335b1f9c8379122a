/** HTTP client of one upstream: its address only, with limits and credentials. */
import { UpstreamError } from './upstream-error.js';
import { tolerantEvents, tolerantJson } from './tolerant-body.js';

export interface UpstreamFetchOptions {
  readonly url: string;
  /** Credentials, requested for each request. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** A response to a request with {@link CALL_HEADER} broke off or ended. */
  broken(call: string, error: Error): void;
  /** Of one response, or one event of a stream. */
  readonly maxBytes: number;
  /** Time limit of a complete response, except for session streams. */
  readonly timeoutMs: number;
}

/** Identifies a call between client library and this module; not sent. */
export const CALL_HEADER = 'x-gate-call';
/** A finished response may still be read, or continue on another stream. */
const GRACE_MS = 2_000;

/** A response exceeded the size limit. */
export class AnswerTooLarge extends Error {
  constructor(limit: number) {
    super(`An answer was larger than ${limit} bytes`);
    this.name = 'AnswerTooLarge';
  }
}

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** @returns a `fetch` that throws for other addresses, for redirects, and for excessive responses. */
export function upstreamFetch(options: UpstreamFetchOptions): Fetch {
  return async (url, init = {}) => {
    if (String(url) !== new URL(options.url).href)
      throw new Error('The address differs from that of the upstream');
    const headers = new Headers(init.headers);
    const call = headers.get(CALL_HEADER);
    headers.delete(CALL_HEADER);
    for (const [name, value] of Object.entries(await options.headers())) headers.set(name, value);
    const patience = new AbortController();
    // A session stream may be silent for any time.
    const timer =
      (init.method ?? 'GET') === 'GET'
        ? undefined
        : setTimeout(() => patience.abort(new Error('The upstream took too long')), options.timeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, patience.signal]) : patience.signal;
    try {
      const response = await follow(new URL(options.url), { ...init, headers, signal });
      if (!response.body) {
        clearTimeout(timer);
        return response;
      }
      const ends = (error?: Error) => {
        clearTimeout(timer);
        if (call === null) return;
        if (error) options.broken(call, error);
        else
          setTimeout(
            () => options.broken(call, new Error('The answer ended without a result')),
            GRACE_MS,
          ).unref();
      };
      const byEvent = isEvents(response);
      const body = bounded(response.body, byEvent, options.maxBytes, ends);
      if (byEvent) return new Response(body.pipeThrough(tolerantEvents()), response);
      if (!response.ok || !isJson(response)) return new Response(body, response);
      const plain = new Response(tolerantJson(await new Response(body).text()), response);
      plain.headers.set('content-type', 'application/json');
      return plain;
    } catch (error) {
      clearTimeout(timer);
      throw error;
    }
  };
}

/**
 * Follows one redirect that keeps the method (307, 308) and only adds or removes the final slash, as web frameworks
 * send it. Others are rejected: one host may serve several upstreams with different credentials.
 * @throws UpstreamError `unreachable`, with the address in its cause.
 */
async function follow(address: URL, init: RequestInit): Promise<Response> {
  const request = { ...init, redirect: 'manual' } as const;
  const response = await fetch(address, request);
  const target = redirectOf(response, address);
  if (target === undefined) return response;
  await response.body?.cancel();
  if (!isSlashAlone(address, target) || ![307, 308].includes(response.status))
    throw redirected(response.status, target);
  const second = await fetch(target, request);
  const further = redirectOf(second, target);
  if (further === undefined) return second;
  await second.body?.cancel();
  throw redirected(second.status, further);
}

/** @returns undefined without a redirect; the text itself if it is not a URL. */
function redirectOf({ status, headers }: Response, from: URL): URL | string | undefined {
  const location = headers.get('location');
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  return location !== null && URL.canParse(location, from)
    ? new URL(location, from)
    : (location ?? 'nowhere');
}

function isSlashAlone(from: URL, to: URL | string): to is URL {
  if (typeof to === 'string') return false;
  const plain = ({ origin, username, password, pathname, search }: URL) =>
    JSON.stringify([origin, username, password, pathname.replace(/\/$/, ''), search]);
  return plain(from) === plain(to);
}

function redirected(status: number, to: URL | string): UpstreamError {
  // Without its query, which may contain a secret.
  const where = typeof to === 'string' ? to.slice(0, 200) : `${to.origin}${to.pathname}`.slice(0, 200);
  const cause = new Error(
    `it answered ${status}, a redirect to ${where}: if that is the right server, set url to it`,
  );
  return new UpstreamError('unreachable', 'it redirects to another address', { cause });
}

function isEvents({ headers }: Response): boolean {
  return /^text\/event-stream\b/i.test(headers.get('content-type') ?? '');
}

/** Older servers use other types for JSON. */
function isJson({ headers }: Response): boolean {
  return /^(application|text)\/(json|json-rpc|jsonrpc|jsonrequest|[\w.-]+\+json)\s*(;|$)/i.test(
    headers.get('content-type') ?? '',
  );
}

/**
 * Limits each event of a stream, and other responses as a whole.
 * @param ends called once, with the error of an incomplete response.
 */
function bounded(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  byEvent: boolean,
  limit: number,
  ends: (error?: Error) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let size = 0;
  const events = new EventSize();
  const fits = (chunk: Uint8Array) => {
    size += chunk.byteLength;
    return (byEvent ? events.add(chunk) : size) <= limit;
  };
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          ends();
          controller.close();
        } else if (fits(value)) controller.enqueue(value);
        else throw new AnswerTooLarge(limit);
      } catch (error) {
        ends(error as Error);
        controller.error(error);
        await reader.cancel(error).catch(() => undefined);
      }
    },
    async cancel(reason) {
      ends();
      await reader.cancel(reason);
    },
  });
}

const [LF, CR, COLON] = [10, 13, 58];

/** Size of the current event: an empty line ends it, and comments are not counted (HTML, "Server-sent events"). */
class EventSize {
  private size = 0;
  /** Without the current line. */
  private before = 0;
  private first: number | undefined;
  private wasCr = false;

  /** @returns the size of the largest event in this chunk so far. */
  add(chunk: Uint8Array): number {
    let largest = 0;
    for (const byte of chunk) {
      const isRest = byte === LF && this.wasCr;
      this.wasCr = byte === CR;
      if (isRest) continue;
      if (byte === LF || byte === CR) this.endLine();
      else {
        this.first ??= byte;
        this.size += 1;
        if (this.size > largest) largest = this.size;
      }
    }
    return largest;
  }

  private endLine(): void {
    if (this.first === undefined) this.size = 0;
    else if (this.first === COLON) this.size = this.before;
    // An empty field is also a stored line.
    else this.size += 1;
    this.before = this.size;
    this.first = undefined;
  }
}
