/** Cause of an unavailable upstream with the remedy, for logs and commands of the operator only. Pure. */
import { allCauses, type ErrorLike } from '../../lib/root-cause.js';
import type { UpstreamSettings } from '../../config/settings.js';

/** Facts about an ended process. */
export interface ProcessEnd {
  /** e.g. `exited with code 1`. */
  readonly how: string | undefined;
  /** Line of stderr about a missing module or program. */
  readonly missing: string | undefined;
}

/** Messages of Node.js, Python, Deno, Bun, shells and Java. */
const MISSING =
  /(Cannot find (?:module|package) .*|ModuleNotFoundError: .*|ImportError: .*|No module named .*|Module not found .*|.*: (?:command )?not found$|.*could not determine executable to run.*|.*ClassNotFoundException.*|.*Unable to access jarfile.*)/;
const CERTIFICATE = /CERT|SELF_SIGNED|ERR_TLS/;
const NO_TLS = ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO'];
const SLOW = ['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'EHOSTUNREACH', 'ENETUNREACH'];
const BROKEN = ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'];
const SSE_ONLY =
  'the gateway speaks Streamable HTTP, and not the older HTTP+SSE: set url to the Streamable HTTP endpoint of the server, often /mcp';

/** @returns the part of a stderr line that names a missing module or program; otherwise undefined. */
export function missingIn(line: string): string | undefined {
  return MISSING.exec(line)?.[1];
}

/** @returns undefined if the failure explains itself. */
export function explainFailure(
  error: unknown,
  settings: UpstreamSettings,
  end: ProcessEnd,
): string | undefined {
  const all = allCauses(error);
  const code = all
    .map(({ code }) => code)
    .find((one) => typeof one === 'string' && /^[A-Z][A-Z0-9_]+$/.test(one)) as string | undefined;
  return settings.transport === 'stdio'
    ? ofProcess(settings.command[0], code, end)
    : ofHttp(new URL(settings.url), all, code);
}

function ofProcess(
  program: string,
  code: string | undefined,
  { how, missing }: ProcessEnd,
): string | undefined {
  if (code === 'ENOENT')
    return `the program ${program} or the working_directory does not exist (ENOENT): give the full path in command`;
  if (code === 'EACCES')
    return `${program} cannot be executed (EACCES): correct its permissions, or its path in command`;
  if (missing !== undefined)
    return `a part of the program is missing (${missing}): install its dependencies, or correct the path in command`;
  if (how === undefined) return undefined;
  return `the program ${how}: start it by hand with the same variables to see why`;
}

function ofHttp(url: URL, all: readonly ErrorLike[], code: string | undefined): string | undefined {
  const status = all.map(({ status }) => status).find((one) => typeof one === 'number');
  const text = all.map((one) => (one instanceof Error ? one.message : '')).join(' ');
  const isSse = /\/sse\/?$/.test(url.pathname);
  if (status === 405 || (isSse && status !== undefined && status !== 401 && status !== 403))
    return `it answered ${status as number} to POST: ${SSE_ONLY}`;
  if (/content.type.*text\/html/i.test(text) || /<!doctype html|<html/i.test(text))
    return `it answered${status === undefined ? '' : ` ${status as number}`} with a web page: correct the path of url, or let the gateway pass the login page in front of the server`;
  if (status === 404) return `it answered 404: correct the path of url; ${SSE_ONLY}`;
  if (code === undefined) return undefined;
  if (code === 'ECONNREFUSED')
    return `no server listens at ${url.host} (ECONNREFUSED): start it, or correct url; in a container, localhost is the container itself`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `the host name ${url.hostname} cannot be resolved (${code}): correct url, or the DNS`;
  if (CERTIFICATE.test(code))
    return `the certificate of ${url.host} is not trusted (${code}): renew it, or name its authority in NODE_EXTRA_CA_CERTS`;
  if (NO_TLS.includes(code)) return `${url.host} does not speak TLS (${code}): correct the port of url`;
  if (SLOW.includes(code))
    return `${url.host} refused the connection (${code}): check the address, the firewall and the proxy`;
  if (BROKEN.includes(code))
    return `${url.host} closed the connection (${code}): check the server, or the proxy in front of it`;
  return undefined;
}
