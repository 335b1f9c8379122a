/** Settings of outbound proxies (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`). Pure. */
import { ValidateBy } from 'class-validator';
import { BlockList, isIP } from 'node:net';
import { isLoopbackHost } from './rules.js';
import type { OutboundSettings, ProxySettings } from './settings.js';

type Environment = Readonly<Record<string, string | undefined>>;

const PROXY_NAMES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'] as const;
type ProxyName = (typeof PROXY_NAMES)[number];

/** Lower-case names take precedence, as in curl. */
export const LOWER_CASE_NAMES = ['https_proxy', 'http_proxy', 'no_proxy'] as const;

const DEFAULT_PORTS = { 'http:': 80, 'https:': 443 } as const;
type Protocol = keyof typeof DEFAULT_PORTS;

/** Effective variables under their upper-case names. An empty lower-case variable disables the proxy, as in curl. */
export function proxyVariables(env: Environment): Partial<Record<ProxyName, string>> {
  const found = PROXY_NAMES.map((name) => {
    const lower = env[name.toLowerCase()];
    return [name, lower === undefined ? env[name] : lower.trim() || undefined] as const;
  });
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

/** Proxy address: `http://` or `https://` with a host, or host and port. */
export function IsProxyUrl() {
  return ValidateBy({
    name: 'proxyUrl',
    validator: {
      validate: (value) => typeof value === 'string' && readProxy('HTTPS_PROXY', value) !== undefined,
      defaultMessage: () =>
        'must be the http:// or https:// URL of a proxy without a path; SOCKS is not supported',
    },
  });
}

/** @returns undefined without a proxy. */
export function readOutbound(
  values: Partial<Record<ProxyName, string | undefined>>,
): OutboundSettings | undefined {
  const proxyOf = (name: 'HTTPS_PROXY' | 'HTTP_PROXY') => readProxy(name, values[name] ?? '');
  const [https, http] = [proxyOf('HTTPS_PROXY'), proxyOf('HTTP_PROXY')];
  return https || http ? { https, http, direct: splitTargets(values.NO_PROXY ?? '') } : undefined;
}

/** Set variables without effect on outbound requests; names only. */
export function proxyNotices(env: Environment): string[] {
  const differing = PROXY_NAMES.filter((name) => {
    const [lower, upper] = [env[name.toLowerCase()], env[name]];
    return lower !== undefined && upper !== undefined && lower !== upper;
  });
  const unreadable = splitTargets(proxyVariables(env).NO_PROXY ?? '').filter((entry) => !readTarget(entry));
  return [
    ...differing.map(
      (name) => `${name} has no effect: ${name.toLowerCase()} has another value and counts first`,
    ),
    ...(env.all_proxy || env.ALL_PROXY ? ['ALL_PROXY has no effect: set HTTPS_PROXY'] : []),
    ...unreadable.map(
      (entry) =>
        `NO_PROXY: ${JSON.stringify(entry.slice(0, 100))} is not a host, address or range and has no effect`,
    ),
  ];
}

/** Lines of the start log about active proxies. */
export function proxyLines(outbound: OutboundSettings | undefined): string[] {
  return [outbound?.https, outbound?.http].flatMap((proxy) =>
    proxy === undefined
      ? []
      : [
          `${proxy.variable}: outbound ${proxy.variable === 'HTTPS_PROXY' ? 'https' : 'http'} requests go through the proxy ${proxy.name}`,
        ],
  );
}

/**
 * Proxy for a target; undefined for a direct request. Loopback is always direct. A host in `NO_PROXY` includes its
 * subdomains; `.domain` and `*.domain` mean subdomains only; names are not resolved.
 */
export function proxyFor(
  outbound: OutboundSettings | undefined,
  target: string | URL,
): ProxySettings | undefined {
  const { protocol, hostname, port } = new URL(target);
  const proxy = protocol === 'https:' ? outbound?.https : protocol === 'http:' ? outbound?.http : undefined;
  if (!outbound || !proxy) return undefined;
  const host = hostname
    .replace(/\.$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  if (isOwnMachine(host)) return undefined;
  const number = Number(port || DEFAULT_PORTS[protocol as Protocol]);
  const isDirect = outbound.direct.some((entry) => readTarget(entry)?.(host, number));
  return isDirect ? undefined : proxy;
}

function readProxy(variable: ProxySettings['variable'], text: string): ProxySettings | undefined {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (text === '' || /[\s\\]/.test(text) || !URL.canParse(address)) return undefined;
  const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(address);
  if (!(protocol in DEFAULT_PORTS) || pathname !== '/' || search !== '' || hash !== '') return undefined;
  const [user, secret] = [decoded(username), decoded(password)];
  if (user === undefined || secret === undefined) return undefined;
  const number = Number(port || DEFAULT_PORTS[protocol as Protocol]);
  return {
    variable,
    secure: protocol === 'https:',
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: number,
    name: `${hostname}:${number}`,
    authorization:
      user === '' && secret === ''
        ? undefined
        : `Basic ${Buffer.from(`${user}:${secret}`, 'utf8').toString('base64')}`,
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function splitTargets(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/))].filter((entry) => entry !== '');
}

type Covers = (host: string, port: number) => boolean;

/** One entry of `NO_PROXY`; undefined for an invalid one. */
function readTarget(entry: string): Covers | undefined {
  if (entry === '*') return () => true;
  const range = readRange(entry);
  if (range) return range;
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const fits: Covers = (_host, number) => port === undefined || Number(port) === number;
  const address = bracketed ?? plain;
  if (isIP(address) > 0) {
    const covers = addresses(address, isIP(address) === 4 ? 32 : 128);
    return (host, number) => fits(host, number) && covers(host);
  }
  const name = plain.toLowerCase().replace(/\.$/, '');
  const [, wildcard, domain] = /^(\*?\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)$/.exec(name) ?? [];
  if (domain === undefined) return undefined;
  return (host, number) =>
    fits(host, number) && (host.endsWith(`.${domain}`) || (wildcard === undefined && host === domain));
}

function readRange(entry: string): Covers | undefined {
  const [, address = '', bits = ''] = /^\[?([0-9a-f:.]+)\]?(?:\/(\d{1,3}))?$/i.exec(entry) ?? [];
  const family = isIP(address);
  const width = family === 4 ? 32 : 128;
  if (family === 0 || Number(bits) > width) return undefined;
  const covers = addresses(address, bits === '' ? width : Number(bits));
  return (host) => covers(host);
}

/** An IPv4-mapped IPv6 address equals its IPv4 address. */
function addresses(address: string, bits: number): (host: string) => boolean {
  const list = new BlockList();
  list.addSubnet(address, bits, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  return (host) => isIP(host) > 0 && list.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}

function isOwnMachine(host: string): boolean {
  if (isLoopbackHost(host) || host.endsWith('.localhost')) return true;
  return LOOPBACK.some((covers) => covers(host));
}

const LOOPBACK = [addresses('127.0.0.0', 8), addresses('::1', 128)];
