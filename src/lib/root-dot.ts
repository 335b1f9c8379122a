/** The dot that may end a host name names the root of DNS (RFC 1034 section 3.1): with it a host is the same host. Pure. */

/** @param host with or without a port. */
export function withoutRootDot(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host.replace(/\.(?=:\d*$)/, '');
}
