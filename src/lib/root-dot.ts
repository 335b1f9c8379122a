/** Removes the final dot of a host name, which stands for the root of DNS (RFC 1034 section 3.1). Pure. */

/** @param host with or without a port. */
export function withoutRootDot(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host.replace(/\.(?=:\d*$)/, '');
}
