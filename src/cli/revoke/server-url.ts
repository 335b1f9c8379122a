/** Parses the address of a running server. Pure. */
import { quote } from '../../lib/format-text.js';
import { isLoopbackHost } from '../../config/rules.js';
import { UsageError } from '../usage.js';

/**
 * @param text like `PUBLIC_URL`: scheme, host and port, with a path if a proxy removes it. No guesses: the request
 * carries an administrator's token.
 * @returns the address of its revocations.
 * @throws UsageError with the expected form.
 */
export function revocationsAt(text: string): URL {
  const typed = text.trim();
  const hasScheme = /^[a-z][a-z\d+.-]*:\/\//i.test(typed);
  if (!hasScheme) {
    const guess = `http://${typed.replace(/^\/+/, '')}`;
    if (typed === '' || !URL.canParse(guess)) throw notAnOrigin(typed);
    const { hostname, host } = new URL(guess);
    const scheme = isLoopbackHost(hostname) ? 'http' : 'https';
    throw new UsageError(
      `--server: ${quote(withoutPassword(typed))} has no scheme. Write ${scheme}://${host}.`,
    );
  }
  if (!URL.canParse(typed)) throw notAnOrigin(typed);
  const url = new URL(typed);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new UsageError(
      `--server: ${quote(url.protocol)} is not supported. Use https: (or http: on loopback).`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(
      '--server must not contain a user name or password; the token on stdin identifies you.',
    );
  }
  const base = url.origin + url.pathname.replace(/\/+$/, '');
  if (url.search !== '' || url.hash !== '' || url.pathname.endsWith('/mcp')) {
    throw new UsageError(
      `--server must be PUBLIC_URL, without the path of the endpoint: ${base.replace(/\/mcp$/, '')}.`,
    );
  }
  if (url.protocol !== 'https:' && !isLoopbackHost(url.hostname)) {
    throw new UsageError('--server must be an https URL, because it receives a token.');
  }
  return new URL(`${base}/admin/revocations`);
}

function notAnOrigin(text: string): UsageError {
  return new UsageError(
    `--server: ${quote(withoutPassword(text))} is not a URL. Write https://gate.example.com.`,
  );
}

function withoutPassword(text: string): string {
  return text.replace(/[^/]*@/, '');
}
