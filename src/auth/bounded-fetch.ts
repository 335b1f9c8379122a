/** Fetching a JSON document of a configured issuer: bounded in time and size, no redirects. */

/** A key set or a metadata document of a real provider is some 20 KB. */
const MAX_BYTES = 512 * 1024;

/**
 * A `fetch` for trusted, configured addresses only. Other options of the request are passed on.
 * @throws Error on a redirect, on more than 512 KiB, and where the request's own signal ends it.
 */
export async function boundedFetch(url: string | URL, options: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, { ...options, redirect: 'error' });
  const bytes = response.body ? await readAll(response.body, options.signal ?? undefined) : undefined;
  return new Response(bytes, { status: response.status, headers: response.headers });
}

/** Node forgets the signal of a fetch once its headers are there: without this a slow body would never end. */
async function readAll(
  body: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  const cancel = () => void reader.cancel(signal?.reason).catch(() => undefined);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    for (let size = 0; ;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) return new Uint8Array(Buffer.concat(chunks));
      size += value.byteLength;
      if (size > MAX_BYTES) throw new Error(`The answer is larger than ${MAX_BYTES} bytes`);
      chunks.push(value);
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
}
