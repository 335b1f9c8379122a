/** Fetching a JSON document of a configured issuer: bounded in time and size, no redirects. */

/** A key set or a metadata document of a real provider is some 20 KB. */
const MAX_BYTES = 512 * 1024;

/**
 * A `fetch` for trusted, configured addresses only. Other options of the request are passed on.
 * @throws Error on a redirect, on more than 512 KiB, and where the request's own signal ends it.
 */
export async function boundedFetch(url: string | URL, options: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, { ...options, redirect: 'error' });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).byteLength;
    if (size > MAX_BYTES)
      throw new Error(`The answer of ${new URL(url).origin} is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return new Response(Buffer.concat(chunks), { status: response.status, headers: response.headers });
}
