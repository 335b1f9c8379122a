/** Addresses of the server. */
import { isLoopbackHost } from './rules.js';
import type { Variables } from './variables.js';

/** Listening address of the server and its addresses as clients use them. */
export function addressesOf(variables: Variables) {
  const host = variables.HOST ?? '127.0.0.1';
  const port = Number(variables.PORT ?? 3000);
  const scheme = variables.TLS_CERT_FILE ? 'https' : 'http';
  const { origin, pathname } = new URL(variables.PUBLIC_URL ?? `${scheme}://${urlHost(host)}:${port}`);
  const publicUrl = origin + pathname.replace(/\/$/, '');
  const mcpPath = variables.MCP_PATH ?? '/mcp';
  return { host, port, publicUrl, mcpPath, resource: publicUrl + mcpPath };
}

/** The three names of loopback are equivalent. */
export function withLoopbackNames(publicUrl: string): string[] {
  const url = new URL(publicUrl);
  if (!isLoopbackHost(url.hostname)) return [url.origin];
  const port = url.port ? `:${url.port}` : '';
  const names = new Set([url.hostname, 'localhost', '127.0.0.1', '[::1]']);
  return [...names].map((name) => `${url.protocol}//${name}${port}`);
}

function urlHost(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
