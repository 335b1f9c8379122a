/** Fetch with limits of time and size, without redirects. */

/** Key sets and metadata of real providers have about 20 KB. */
const MAX_BYTES = 512 * 1024;
/** Some servers answer 406 unless their own type is listed, such as that of a key set (RFC 7517). */
export const JSON_TYPES = 'application/json, application/jwk-set+json, */*;q=0.5';
/** Default time limit. */
const TIMEOUT_MS = 5_000;

/**
 * `fetch` for trusted, configured addresses. Other options are passed on.
 * @param options its `signal` ends the request at any stage. Default: after 5 s.
 * @throws Error on a redirect, on more than 512 KiB (after decompression) and at the time limit.
 */
export async function boundedFetch(url: string | URL, options: RequestInit = {}): Promise<Response> {
  if (options.signal) return fetchWhole(url, options, options.signal);
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new Error(`${withoutQuery(url)} gave no answer within ${TIMEOUT_MS} ms`)),
    TIMEOUT_MS,
  );
  try {
    return await fetchWhole(url, options, controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Fetches a JSON document. The content type is ignored: providers send wrong ones.
 * @throws Error like `boundedFetch`, for a status other than 200, and for other content.
 */
export async function fetchJson(url: string | URL, signal: AbortSignal): Promise<unknown> {
  const response = await boundedFetch(url, { headers: { accept: JSON_TYPES }, signal });
  if (response.status !== 200) throw new Error(`${withoutQuery(url)} answered ${response.status}`);
  try {
    return await response.json();
  } catch {
    throw new Error(`${withoutQuery(url)} did not answer with JSON`);
  }
}

/** For messages: queries may hold confidential data. */
export function withoutQuery(url: string | URL): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

async function fetchWhole(url: string | URL, options: RequestInit, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { ...options, signal, redirect: 'error' });
  const bytes = response.body ? await readAll(response.body, signal) : undefined;
  return new Response(bytes, { status: response.status, headers: response.headers });
}

/** Node ignores the signal of a fetch after the headers: without this a slow body would never end. */
async function readAll(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  const cancel = () => void reader.cancel(signal.reason).catch(() => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    for (let size = 0; ;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return new Uint8Array(Buffer.concat(chunks));
      size += value.byteLength;
      if (size > MAX_BYTES) throw new Error(`The answer is larger than ${MAX_BYTES} bytes`);
      chunks.push(value);
    }
  } finally {
    signal.removeEventListener('abort', cancel);
    cancel();
  }
}
