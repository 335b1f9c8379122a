/** Address and scheme of the client, as reported by the proxies of `TRUST_PROXY`. Pure. */
import type { IncomingMessage } from 'node:http';
import { nodeAddress, plainAddress } from '../lib/ip-addresses.js';
import { forwardedElements, type ForwardedElement } from '../lib/forwarded-header.js';

/** Address of a client that no trusted proxy reports. It matches no rule on addresses. */
export const UNKNOWN_ADDRESS = 'unknown';

/**
 * Headers of trusted proxies. `auto`: `X-Forwarded-For` and `X-Forwarded-Proto` if a request has one of them,
 * otherwise `Forwarded` (RFC 7239).
 */
export const PROXY_HEADERS = ['auto', 'x-forwarded', 'forwarded'] as const;
export type ProxyHeaders = (typeof PROXY_HEADERS)[number];

export interface Proxies {
  /** @param hop 0 for the peer of the connection. */
  readonly trusts: (address: string, hop: number) => boolean;
  readonly headers: ProxyHeaders;
}

export interface Sender {
  /** Normalized address of the client without port, or {@link UNKNOWN_ADDRESS}. */
  readonly ip: string;
  /** True if the peer of this connection is a trusted proxy. */
  readonly byProxy: boolean;
  /** True if every reported hop used https. */
  readonly secure: boolean;
}

type Request = Pick<IncomingMessage, 'headers' | 'socket'>;

/** A list read from its end: each entry names the hop before it. Undefined: unreadable. */
type ForwardedHops = Iterable<string | undefined>;

/**
 * Follows the hops from the connection to the first untrusted address, which is the client. Earlier values may come
 * from the client and are ignored.
 */
export function senderOf(request: Request, { trusts, headers: counted }: Proxies): Sender {
  const { remoteAddress } = request.socket;
  const peer = remoteAddress === undefined ? undefined : plainAddress(remoteAddress);
  const isEncrypted = (request.socket as { encrypted?: boolean }).encrypted === true;
  if (peer === undefined || !trusts(peer, 0)) {
    return { ip: peer ?? UNKNOWN_ADDRESS, byProxy: false, secure: isEncrypted };
  }
  if (counts('forwarded', counted, request)) return senderByForwarded(request, peer, trusts, isEncrypted);
  const hops = listOf(request, 'x-forwarded-for').reverse();
  const protocols = listOf(request, 'x-forwarded-proto');
  return {
    ip: clientOf(peer, hops, trusts),
    byProxy: true,
    // Proxies may append to a value of the client, so each part must be https.
    secure: protocols.length === 0 ? isEncrypted : protocols.every((one) => one.toLowerCase() === 'https'),
  };
}

function counts(kind: ProxyHeaders, counted: ProxyHeaders, { headers }: Request): boolean {
  if (counted !== 'auto') return counted === kind;
  return (
    headers.forwarded !== undefined &&
    headers['x-forwarded-for'] === undefined &&
    headers['x-forwarded-proto'] === undefined
  );
}

function senderByForwarded(
  { headers }: Request,
  peer: string,
  trusts: Proxies['trusts'],
  isEncrypted: boolean,
): Sender {
  /** Elements of trusted proxies, the peer of the connection first. */
  const believed: (ForwardedElement | undefined)[] = [];
  const hops = function* () {
    for (const element of forwardedElements(headers.forwarded ?? '')) {
      believed.push(element);
      yield element?.for;
    }
  };
  const ip = clientOf(peer, hops(), trusts);
  const [nearest, ...others] = believed.map((element) => (element ? element.proto : 'malformed'));
  const isSecure = nearest === undefined ? isEncrypted : nearest === 'https';
  return {
    ip,
    byProxy: true,
    secure: isSecure && others.every((one) => one === undefined || one === 'https'),
  };
}

/** @param peer a trusted address. */
function clientOf(peer: string, hops: ForwardedHops, trusts: Proxies['trusts']): string {
  let client = peer;
  let hop = 0;
  for (const node of hops) {
    const address = node === undefined ? undefined : nodeAddress(node);
    if (address === undefined) return UNKNOWN_ADDRESS;
    client = address;
    hop += 1;
    if (!trusts(client, hop)) break;
  }
  return client;
}

/** The elements of a list; empty ones do not count (RFC 9110 section 5.6.1.2). */
function listOf({ headers }: Request, name: string): string[] {
  const text = headers[name] as string | undefined;
  if (text === undefined) return [];
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
