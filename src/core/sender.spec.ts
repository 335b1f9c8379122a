import fc from 'fast-check';
import { senderOf, type ProxyHeaders } from './sender.js';

/** Proxies are in 10.0.0.0/8. */
const byAddress = (address: string) => address.startsWith('10.');
const byHops = (count: number) => (_address: string, hop: number) => hop < count;
const nobody = () => false;

interface Sent {
  readonly peer?: string;
  readonly encrypted?: boolean;
  readonly for?: string;
  readonly proto?: string;
  readonly forwarded?: string;
}

const request = ({ peer = '10.0.0.1', encrypted = false, ...sent }: Sent) =>
  ({
    headers: {
      ...(sent.for !== undefined && { 'x-forwarded-for': sent.for }),
      ...(sent.proto !== undefined && { 'x-forwarded-proto': sent.proto }),
      ...(sent.forwarded !== undefined && { forwarded: sent.forwarded }),
    },
    socket: { remoteAddress: peer, encrypted },
  }) as never;

const ipOf = (sent: Sent, headers: ProxyHeaders = 'auto', trusts = byAddress as typeof nobody) =>
  senderOf(request(sent), { trusts, headers }).ip;
const isSecure = (sent: Sent, headers: ProxyHeaders = 'auto', trusts = byAddress as typeof nobody) =>
  senderOf(request(sent), { trusts, headers }).secure;

describe('senderOf: the address of the client', () => {
  it.each<[string, Sent, string]>([
    ['the connection, without a proxy', { peer: '192.0.2.1' }, '192.0.2.1'],
    ['IPv4 of a connection over IPv6', { peer: '::ffff:192.0.2.1' }, '192.0.2.1'],
    ['the proxy that says nothing', {}, '10.0.0.1'],
    ['one address', { for: '192.0.2.1' }, '192.0.2.1'],
    ['a proxy over IPv6', { peer: '::ffff:10.0.0.1', for: '192.0.2.1' }, '192.0.2.1'],
    ['an address with a port', { for: '192.0.2.1:51008' }, '192.0.2.1'],
    ['IPv6 in brackets with a port', { for: '[FD00::7]:51008' }, 'fd00::7'],
    ['IPv6 in brackets', { for: '[fd00::7]' }, 'fd00::7'],
    ['IPv6', { for: 'fd00::7' }, 'fd00::7'],
    ['mapped IPv4 with a port', { for: '[::ffff:192.0.2.1]:1' }, '192.0.2.1'],
    ['a trusted hop with a port', { for: '192.0.2.1:1, 10.0.0.2:2' }, '192.0.2.1'],
    ['a trusted hop as mapped IPv4', { for: '192.0.2.1, [::ffff:10.0.0.2]:2' }, '192.0.2.1'],
    ['not what stands left of the client', { for: '10.9.9.9, 192.0.2.1:7' }, '192.0.2.1'],
    ['not garbage left of the client', { for: '"<x>, 192.0.2.1' }, '192.0.2.1'],
    ['the first of trusted hops only', { for: '10.0.0.3, 10.0.0.2' }, '10.0.0.3'],
    ['empty elements do not count', { for: ', 192.0.2.1 , ,' }, '192.0.2.1'],
    ['unknown for a name', { for: 'localhost' }, 'unknown'],
    ['unknown for another spelling of a number', { for: '0x0a000001' }, 'unknown'],
    ['unknown for a port out of range', { for: '192.0.2.1:99999' }, 'unknown'],
    ['unknown for garbage after a trusted hop', { for: '192.0.2.1, x, 10.0.0.2' }, 'unknown'],
    [
      'an untrusted sender of headers',
      { peer: '192.0.2.9', for: '10.9.9.9', forwarded: 'for=10.9.9.9' },
      '192.0.2.9',
    ],
    ['Forwarded', { forwarded: 'for=192.0.2.1' }, '192.0.2.1'],
    ['Forwarded with port and brackets', { forwarded: 'For="[FD00::7]:51008"' }, 'fd00::7'],
    ['Forwarded over two hops', { forwarded: 'for=192.0.2.1, for="10.0.0.2:80"' }, '192.0.2.1'],
    ['not Forwarded left of the client', { forwarded: 'for=10.9.9.9, for=192.0.2.1' }, '192.0.2.1'],
    ['not a quote left of the client', { forwarded: 'for="10.9.9.9, for=192.0.2.1' }, '192.0.2.1'],
    ['unknown for a hidden node', { forwarded: 'for=_hidden' }, 'unknown'],
    ['unknown where Forwarded names no node', { forwarded: 'proto=https' }, 'unknown'],
    ['unknown for malformed Forwarded', { forwarded: 'for=192.0.2.1;for=10.9.9.9' }, 'unknown'],
    ['X-Forwarded-For beside Forwarded', { for: '192.0.2.1', forwarded: 'for=10.9.9.9' }, '192.0.2.1'],
    ['the proxy that tells the protocol alone', { proto: 'https', forwarded: 'for=10.9.9.9' }, '10.0.0.1'],
  ])('is %s', (_what, sent, expected) => {
    expect(ipOf(sent)).toBe(expected);
  });

  it.each<[ProxyHeaders, string]>([
    ['x-forwarded', '192.0.2.1'],
    ['forwarded', '192.0.2.2'],
  ])('depends on the headers of TRUST_PROXY_HEADERS=%s only', (headers, expected) => {
    expect(ipOf({ for: '192.0.2.1', forwarded: 'for=192.0.2.2' }, headers)).toBe(expected);
    expect(ipOf({ [headers === 'forwarded' ? 'for' : 'forwarded']: 'for=10.9.9.9' }, headers)).toBe(
      '10.0.0.1',
    );
  });

  it('is found after a number of hops', () => {
    const sent = { peer: '203.0.113.1', for: '1.1.1.1, 192.0.2.1:5, 203.0.113.2:6' };
    expect(ipOf(sent, 'auto', byHops(1) as never)).toBe('203.0.113.2');
    expect(ipOf(sent, 'auto', byHops(2) as never)).toBe('192.0.2.1');
  });

  it('is the rightmost untrusted address, independent of earlier values', () => {
    const node = fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((six) => `[${six}]:1`),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(node), fc.nat(3), (spoofed, hops) => {
        const trusted = Array.from({ length: hops }, (_, at) => `10.0.0.${at + 2}:80`);
        const list = [...spoofed.map((one) => one.replace(/[\r\n]/g, '')), '192.0.2.1:7', ...trusted].join(
          ',',
        );
        expect(ipOf({ for: list })).toBe('192.0.2.1');
        const elements = list.split(',').map((one) => `for="${one}"`);
        expect(ipOf({ forwarded: elements.join(', ') })).toBe('192.0.2.1');
      }),
    );
  });
});

describe('senderOf: the scheme of the request', () => {
  it.each<[string, Sent, boolean]>([
    ['TLS of the connection', { peer: '192.0.2.1', encrypted: true }, true],
    ['no TLS', { peer: '192.0.2.1' }, false],
    ['the word of a client', { peer: '192.0.2.1', proto: 'https', forwarded: 'proto=https' }, false],
    ['https', { proto: 'https' }, true],
    ['https in capitals', { proto: 'HTTPS' }, true],
    ['a list of https', { proto: 'https, Https' }, true],
    ['a list with an empty element', { proto: 'https,' }, true],
    ['http behind https', { proto: 'https, http' }, false],
    ['https behind http', { proto: 'http,https' }, false],
    ['another scheme', { proto: 'wss' }, false],
    ['TLS to a proxy that was asked over http', { encrypted: true, proto: 'http' }, false],
    ['TLS to a proxy that says nothing', { encrypted: true }, true],
    ['a proxy that says nothing', {}, false],
    ['Forwarded', { forwarded: 'for=192.0.2.1;proto=HTTPS' }, true],
    ['Forwarded, of http', { forwarded: 'for=192.0.2.1;proto=http' }, false],
    [
      'Forwarded of the client, before a proxy that says nothing',
      { forwarded: 'proto=https, for=192.0.2.1' },
      false,
    ],
    [
      'Forwarded, http at the first of two proxies',
      { forwarded: 'for=192.0.2.1;proto=http, for=10.0.0.2;proto=https' },
      false,
    ],
    ['Forwarded, https at both', { forwarded: 'for=192.0.2.1;proto=https, for=10.0.0.2;proto=https' }, true],
    ['malformed Forwarded', { forwarded: 'proto=https;proto=https' }, false],
    ['Forwarded beside X-Forwarded-Proto', { proto: 'http', forwarded: 'for=192.0.2.1;proto=https' }, false],
    ['Forwarded beside X-Forwarded-For', { for: '192.0.2.1', forwarded: 'for=192.0.2.1;proto=https' }, false],
  ])('is decided by %s', (_what, sent, expected) => {
    expect(isSecure(sent)).toBe(expected);
  });

  it('depends on the headers of TRUST_PROXY_HEADERS only', () => {
    const contradictory = { proto: 'https', forwarded: 'for=192.0.2.1;proto=http' };
    expect([isSecure(contradictory, 'x-forwarded'), isSecure(contradictory, 'forwarded')]).toEqual([
      true,
      false,
    ]);
  });
});

it('reports whether the connection comes from a trusted proxy', () => {
  const byProxy = (peer: string) =>
    senderOf(request({ peer }), { trusts: byAddress, headers: 'auto' }).byProxy;
  expect([byProxy('10.0.0.1'), byProxy('::ffff:10.0.0.1'), byProxy('192.0.2.1')]).toEqual([
    true,
    true,
    false,
  ]);
});
