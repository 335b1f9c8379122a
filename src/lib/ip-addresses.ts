/** Normalizes IP addresses and reads the nodes of proxy headers. Pure. */
import { isIP, isIPv4 } from 'node:net';

const MAX_PORT = 65_535;
/** Zone of a link-local address (RFC 4007), meaningless on another host. */
const ZONE = /%[\w.~%-]+$/;
/** RFC 7239 section 6.3: a port, or an obfuscated one. */
const PORT = String.raw`(?::(\d{1,5}|_[\w.-]+))?`;
const BRACKETED = new RegExp(String.raw`^\[([^\][]+)\]${PORT}$`);
const WITH_PORT = new RegExp(String.raw`^([\d.]+)${PORT}$`);

/**
 * @returns the address without a zone: IPv4-mapped addresses as IPv4, IPv6 as in RFC 5952. Undefined for other texts.
 */
export function plainAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const plain = text.replace(ZONE, '');
  if (isIP(plain) !== 6) return undefined;
  const spelled = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(spelled) ?? [];
  if (high === undefined || low === undefined) return spelled;
  return [high, low].flatMap((half) => [parseInt(half, 16) >> 8, parseInt(half, 16) & 0xff]).join('.');
}

/**
 * Address of a proxy node: `10.1.2.3`, `10.1.2.3:51008`, `fd00::7`, `[fd00::7]`, `[fd00::7]:51008`.
 * @returns as {@link plainAddress}; undefined also for a port out of range.
 */
export function nodeAddress(node: string): string | undefined {
  const [, address, port = ''] = BRACKETED.exec(node) ?? WITH_PORT.exec(node) ?? [];
  if (address === undefined) return plainAddress(node);
  if (!port.startsWith('_') && Number(port) > MAX_PORT) return undefined;
  const isIPv6 = node.startsWith('[');
  return isIPv4(address) === isIPv6 ? undefined : plainAddress(address);
}
