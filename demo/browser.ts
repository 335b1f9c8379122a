/** The browser part of a login: follows redirects, keeps cookies and stops at the redirect URI of the client. */

/** Above the number of redirects in a demo login. */
const MAX_REDIRECTS = 20;

/**
 * @param start authorization request.
 * @param redirectUri redirect URI of the client; no server needs to listen there.
 * @returns the final URL with `code` or `error` in its query.
 * @throws Error if the issuer responds with a page instead.
 */
export async function followLogin(start: URL, redirectUri: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = start;
  for (let left = MAX_REDIRECTS; left > 0; left--) {
    const response = await fetch(url, { redirect: 'manual', headers: { cookie: cookieHeader(cookies) } });
    keepCookies(cookies, response.headers.getSetCookie());
    const location = response.headers.get('location');
    if (location === null)
      throw new Error(`The issuer answered ${response.status}: ${await pageText(response)}`);
    await response.body?.cancel();
    const next = new URL(location, url);
    if (isCallback(next, redirectUri)) return next;
    url = next;
  }
  throw new Error(`The login did not end within ${MAX_REDIRECTS} redirects`);
}

function isCallback(url: URL, redirectUri: string): boolean {
  const expected = new URL(redirectUri);
  return url.origin === expected.origin && url.pathname === expected.pathname;
}

function cookieHeader(cookies: ReadonlyMap<string, string>): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
}

function keepCookies(cookies: Map<string, string>, headers: readonly string[]): void {
  for (const header of headers) {
    const [pair = ''] = header.split(';');
    const [name = '', ...value] = pair.split('=');
    cookies.set(name.trim(), value.join('='));
  }
}

async function pageText(response: Response): Promise<string> {
  return (await response.text())
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
}
