/** HTTP to one upstream: to its own address alone, bounded, with the credentials that are good there. */
export interface UpstreamFetchOptions {
  readonly url: string;
  /** What proves that the gate may ask; asked for at each request. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** Of one answer, or of one event of a stream. */
  readonly maxBytes: number;
  /** An answer has to be whole within this time, unless it is the stream of a session. */
  readonly timeoutMs: number;
}

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
    for (const [name, value] of Object.entries(await options.headers())) headers.set(name, value);
    const patience = new AbortController();
    // The stream of a session says nothing for as long as there is nothing to say.
    const timer =
      (init.method ?? 'GET') === 'GET'
        ? undefined
        : setTimeout(() => patience.abort(new Error('The upstream took too long')), options.timeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, patience.signal]) : patience.signal;
    try {
      const response = await fetch(url, { ...init, headers, signal, redirect: 'error' });
      if (!response.body) {
        clearTimeout(timer);
        return response;
      }
      const body = response.body.pipeThrough(bounded(response, options.maxBytes, () => clearTimeout(timer)));
      return new Response(body, response);
    } catch (error) {
      clearTimeout(timer);
      throw error;
    }
  };
}

/** Of a stream of events each line counts for itself; of anything else the whole. */
function bounded(
  { headers }: Response,
  limit: number,
  done: () => void,
): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  const isEvents = /^text\/event-stream\b/i.test(headers.get('content-type') ?? '');
  let size = 0;
  return new TransformStream({
    transform(chunk, controller) {
      const end = isEvents ? chunk.lastIndexOf(10) : -1;
      // What comes before the last line's end belongs to lines that are over.
      const first = isEvents ? chunk.indexOf(10) : -1;
      if (size + (first < 0 ? chunk.byteLength : first) > limit) {
        controller.error(new AnswerTooLarge(limit));
        return;
      }
      size = end < 0 ? size + chunk.byteLength : chunk.byteLength - end - 1;
      controller.enqueue(chunk);
    },
    flush: done,
  });
}
