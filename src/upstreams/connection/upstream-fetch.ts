/** HTTP to one upstream: to its own address alone, bounded, with the credentials that are good there. */
import { UpstreamError } from './upstream-error.js';
import { tolerantEvents, tolerantJson } from './tolerant-body.js';

export interface UpstreamFetchOptions {
  readonly url: string;
  /** What proves that the gate may ask; asked for at each request. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** The answer to a request with a {@link CALL_HEADER} has broken off, or is over. */
  broken(call: string, error: Error): void;
  /** Of one answer, or of one event of a stream. */
  readonly maxBytes: number;
  /** An answer has to be whole within this time, unless it is the stream of a session. */
  readonly timeoutMs: number;
}

/** Names a call between the client library and here; it goes no further. */
export const CALL_HEADER = 'x-gate-call';
/** An answer that is over may still be read, or be taken up again on another stream. */
const GRACE_MS = 2_000;

/** An answer was larger than it may be. */
export class AnswerTooLarge extends Error {
  constructor(limit: number) {
    super(`An answer was larger than ${limit} bytes`);
    this.name = 'AnswerTooLarge';
  }
}

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** @returns a `fetch` that throws where it is asked for another address, where it is sent on to one, and where it is too much. */
export function upstreamFetch(options: UpstreamFetchOptions): Fetch {
  return async (url, init = {}) => {
    if (String(url) !== new URL(options.url).href)
      throw new Error('An upstream has one address, and this is another');
    const headers = new Headers(init.headers);
    const call = headers.get(CALL_HEADER);
    headers.delete(CALL_HEADER);
    for (const [name, value] of Object.entries(await options.headers())) headers.set(name, value);
    const patience = new AbortController();
    // The stream of a session says nothing for as long as there is nothing to say.
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
            () => options.broken(call, new Error('The answer was over, and none')),
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
 * Follows one redirect that keeps the method (307, 308) and adds or takes away the slash at the end of the path, as web
 * frameworks send it. No other one is followed: one host may serve several upstreams, and each has its own credentials.
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

/** @returns undefined where it is no redirect; the text itself where it is no address. */
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
  // Without its query, which may hold a secret.
  const where = typeof to === 'string' ? to.slice(0, 200) : `${to.origin}${to.pathname}`.slice(0, 200);
  const cause = new Error(
    `it answered ${status}, a redirect to ${where}: if that is the right server, set url to it`,
  );
  return new UpstreamError('unreachable', 'it redirects to another address', { cause });
}

function isEvents({ headers }: Response): boolean {
  return /^text\/event-stream\b/i.test(headers.get('content-type') ?? '');
}

/** Older servers have names of their own for JSON. */
function isJson({ headers }: Response): boolean {
  return /^(application|text)\/(json|json-rpc|jsonrpc|jsonrequest|[\w.-]+\+json)\s*(;|$)/i.test(
    headers.get('content-type') ?? '',
  );
}

/**
 * Of a stream of events each event counts for itself; of anything else the whole.
 * @param ends called once, with what broke it off where it did not end by itself.
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

/** How large the event is that is being read: it ends with an empty line, and comments do not belong to it (HTML, "Server-sent events"). */
class EventSize {
  private size = 0;
  /** Without the line that is being read. */
  private before = 0;
  private first: number | undefined;
  private wasCr = false;

  /** @returns the size of the largest one in this chunk, so far. */
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
    // An empty field is a line that is kept, too.
    else this.size += 1;
    this.before = this.size;
    this.first = undefined;
  }
}
