/** Where a request comes from and how, as far as the proxies of `TRUST_PROXY` are believed. Pure. */
import type { IncomingMessage } from 'node:http';
import { nodeAddress, plainAddress } from '../lib/ip-addresses.js';
import { forwardedElements, type ForwardedElement } from '../lib/forwarded-header.js';

/** The address of a client that no trusted proxy tells. No rule on addresses allows it. */
export const UNKNOWN_ADDRESS = 'unknown';

/**
 * The headers of trusted proxies that count. `auto`: `X-Forwarded-For` and `X-Forwarded-Proto` where a request has one
 * of them, `Forwarded` (RFC 7239) otherwise.
 */
export const PROXY_HEADERS = ['auto', 'x-forwarded', 'forwarded'] as const;
export type ProxyHeaders = (typeof PROXY_HEADERS)[number];

export interface Proxies {
  /** @param hop 0 for the other end of the connection. */
  readonly trusts: (address: string, hop: number) => boolean;
  readonly headers: ProxyHeaders;
}

export interface Sender {
  /** The client's address without port, in one spelling, or {@link UNKNOWN_ADDRESS}. */
  readonly ip: string;
  /** Whether the other end of this connection is a trusted proxy. */
  readonly byProxy: boolean;
  /** Whether every hop that is told of used https. */
  readonly secure: boolean;
}

type Request = Pick<IncomingMessage, 'headers' | 'socket'>;

/** A list read from its end: with each entry, one hop names the hop before it. Undefined: unreadable. */
type ForwardedHops = Iterable<string | undefined>;

/**
 * Walks the hops from the connection on and stops at the first that is not trusted: its address is the client's.
 * Values left of it may be the client's own and do not count.
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
    // Proxies that append keep the client's own value in front: each part must be https.
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
  /** The elements of trusted proxies, the one at the other end of the connection first. */
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

/** @param peer an address that is trusted. */
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
