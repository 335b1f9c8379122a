/** `npm run revoke`: what is to be revoked in, done or not done out. */
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { isJsonObject } from '../../lib/json.js';
import { readRevocation } from '../../revocation/admin/read-revocation.js';
import { lostOptions, usageError, WRONG_USAGE } from '../usage.js';
import { escapeControlChars } from '../../lib/format-text.js';
import { npmVariables, readEnvironment } from '../../config/environment.js';
import { loadSettings } from '../../config/load-settings.js';
import { proxyVariables, readOutbound } from '../../config/proxies.js';
import type { OutboundSettings, Settings } from '../../config/settings.js';
import { useProxies } from '../../http/outbound/outbound.js';
import { expiryOf } from '../../revocation/expiry.js';
import {
  addRevocation,
  loadRevocations,
  withdrawRevocation,
  type StoredRevocation,
} from '../../revocation/revocation-store.js';
import { openConnection, type Connection } from '../../storage/connection.js';
import { publicReason } from '../../storage/public-reason.js';
import { isLoopbackHost } from '../../config/rules.js';
import { HELP, readCommandLine, USAGE, type Command } from './command-line.js';
import { revocationsAt } from './server-url.js';
import { NOT_CHECKED, unknownNote } from './unknown-note.js';

const GOOD = 0;
const NOT_GOOD = 1;
const TIMEOUT_MS = 10_000;

/** Seconds that a Date of JavaScript can hold. */
const MAX_SECONDS = 8.64e12;

/** What is wrong, in words for who types. */
class Refusal extends Error {}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const lost = lostOptions(USAGE, args, npmVariables());
  const command: Command = lost ? { kind: 'wrong', message: lost } : readCommandLine(args, onlyIssuer);
  if (command.kind === 'help') {
    console.log(HELP);
    return GOOD;
  }
  if (command.kind === 'wrong') {
    console.error(usageError(USAGE, command.message));
    return WRONG_USAGE;
  }
  if (command.server === undefined) return inDatabase(command);
  const leaveProxies = await useProxies(ownProxies());
  try {
    return await atServer(command, command.server);
  } finally {
    await leaveProxies();
  }
}

type Work = Extract<Command, { kind: 'revoke' | 'list' | 'withdraw' }>;

async function inDatabase(command: Work): Promise<number> {
  const settings = ownSettings();
  const { databaseUrl } = settings.storage;
  if (command.kind === 'revoke' && settings.revocation.maxAgeSeconds === 0) {
    throw new Refusal('It would have no effect: REVOCATION_MAX_AGE_SECONDS=0 switches revocation off.');
  }
  if (databaseUrl === undefined) {
    throw new Refusal('The embedded database belongs to the server: ask it with --server.');
  }
  let connection: Connection | undefined;
  try {
    connection = await openConnection(settings.storage, () => undefined);
    return await work(command, connection, settings);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`The database does not take it: ${publicReason(error, databaseUrl)}`);
  } finally {
    await connection?.close();
  }
}

async function work(command: Work, { db }: Connection, settings: Settings): Promise<number> {
  const { auth } = settings;
  switch (command.kind) {
    case 'list':
      show((await loadRevocations(db)).map(shown), command.json);
      return GOOD;
    case 'withdraw':
      return done(await withdrawRevocation(db, command.id), command.id);
    case 'revoke': {
      const read = readRevocation(command.members, Date.now(), auth.issuers);
      if (!read.ok) throw new Refusal(`${read.fault}.`);
      const { revocation } = read;
      const issuer = auth.issuers.find((one) => one.issuer === revocation.issuer);
      const by = command.by ?? `${userInfo().username}@${hostname()}`;
      const expiresAt = expiryOf(revocation.kind, revocation.issuedBefore, issuer);
      show([shown(await addRevocation(db, { ...revocation, by, expiresAt }))], command.json);
      await sayIfUnknown(command.members, settings);
      return GOOD;
    }
  }
}

async function atServer(command: Work, server: string): Promise<number> {
  const base = addressOf(server);
  if (command.kind === 'revoke' && command.by !== undefined) {
    throw new Refusal('--by has no effect with --server: the token says who you are.');
  }
  const token = readToken();
  const ask = (path: string, method: string, body?: object) =>
    fetch(base.href + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body && { body: JSON.stringify(body) }),
    }).catch((error: Error) => {
      throw new Refusal(connectionFailure(error, base));
    });
  const response =
    command.kind === 'list'
      ? await ask('', 'GET')
      : command.kind === 'withdraw'
        ? await ask(`/${encodeURIComponent(command.id)}`, 'DELETE')
        : await ask('', 'POST', command.members);
  if (command.kind === 'withdraw' && response.status === 204) return done(true, command.id);
  const answer = await objectIn(response);
  const { code, message } = (isJsonObject(answer.error) ? answer.error : {}) as Record<string, unknown>;
  if (command.kind === 'withdraw' && response.status === 404 && isRevocationUnknown(message)) {
    return done(false, command.id);
  }
  if (!response.ok) {
    const why = typeof message === 'string' ? escapeControlChars(message) : 'no reason';
    const hint =
      response.status === 404 && code !== undefined
        ? '. The address is another one, or REVOCATION_MAX_AGE_SECONDS=0 switches revocation off there'
        : '';
    throw new Refusal(`The server answered ${response.status}: ${why}${hint}`);
  }
  const revocations = command.kind === 'list' ? answer.revocations : [answer];
  if (!Array.isArray(revocations) || !revocations.every(isRevocation)) {
    throw new Refusal(`What answers at ${base.origin} is not this server: it tells of no revocation.`);
  }
  show(revocations, command.json);
  if (command.kind === 'revoke') {
    await sayIfUnknown(command.members, isLoopbackHost(base.hostname) ? settingsOrNone() : undefined);
  }
  return GOOD;
}

function addressOf(server: string): URL {
  try {
    return revocationsAt(server);
  } catch (error) {
    throw new Refusal((error as Error).message);
  }
}

function readToken(): string {
  if (process.stdin.isTTY) console.error('Paste the token of an administrator, and press Ctrl-D.');
  let token: string;
  try {
    token = readFileSync(0, 'utf8').trim();
  } catch (error) {
    throw new Refusal(
      `Stdin cannot be read (${(error as NodeJS.ErrnoException).code}): the token comes there.`,
    );
  }
  // The message of fetch about a header that it cannot send quotes it.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Refusal('On stdin there is no token: it must be one line, as the issuer gave it.');
  }
  return token;
}

/** The JSON object of an answer; empty where it holds none. */
async function objectIn(response: Response): Promise<Record<string, unknown>> {
  const json: unknown = await response.json().catch(() => undefined);
  return isJsonObject(json) ? json : {};
}

function isRevocation(value: unknown): value is object {
  if (!isJsonObject(value)) return false;
  const { id, kind, issuer, value: of, issued_before: before } = value;
  const isTime = typeof before === 'number' && Math.abs(before) <= MAX_SECONDS;
  return [id, kind, issuer, of].every((one) => typeof one === 'string') && isTime;
}

function isRevocationUnknown(message: unknown): boolean {
  return message === 'There is no such revocation';
}

/** Words for the codes of failed connections, of Node and of undici. */
const FAILURES: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'nothing listens there'],
  [/ENOTFOUND|EAI_AGAIN/, 'there is no such host'],
  [/EPROTO|ERR_SSL|WRONG_VERSION/, 'it does not speak TLS: is it http?'],
  [/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/, 'its certificate is not trusted here (NODE_EXTRA_CA_CERTS)'],
  [/ECONNRESET|UND_ERR_SOCKET|HPE_/, 'it closed the connection: is it https?'],
  [/redirect/, 'it answers with a redirect, and a token follows none'],
  [/bad port/, 'this port is not used for HTTP'],
];

/** Says which server, what failed, and mostly why. */
function connectionFailure({ name, message, cause }: Error, { origin }: URL): string {
  const { code, message: reason, name: kind } = (cause ?? {}) as Partial<NodeJS.ErrnoException>;
  if (kind === 'ProxyError') return `${origin} cannot be asked: ${escapeControlChars(reason ?? '')}.`;
  const what = name === 'TimeoutError' ? 'no answer in time' : (code ?? reason ?? message);
  const why = FAILURES.find(([form]) => form.test(`${what} ${reason ?? ''}`))?.[1];
  return `${origin} cannot be asked (${escapeControlChars(what)})${why === undefined ? '' : `: ${why}`}.`;
}

/** Members as the administration shows them. */
function shown(one: StoredRevocation): object {
  const { id, kind, issuer, value, issuedBefore: issued_before, by, reason } = one;
  return {
    id,
    kind,
    issuer,
    value,
    issued_before,
    by,
    reason,
    created_at: one.createdAt,
    expires_at: one.expiresAt,
  };
}

function show(revocations: readonly object[], json: boolean): void {
  if (json) console.log(JSON.stringify(revocations));
  else if (revocations.length === 0) console.log('Nothing is revoked.');
  else for (const one of revocations) console.log(lineOf(one as Record<string, string | number | null>));
}

function lineOf({
  id,
  kind,
  issuer,
  value,
  issued_before: at,
  by,
  reason,
}: Record<string, string | number | null>): string {
  const until = new Date(Number(at) * 1000).toISOString();
  const why = reason === null ? '' : `: ${reason}`;
  return escapeControlChars(`${id}  ${kind} ${value} of ${issuer}, issued until ${until}, by ${by}${why}`);
}

function done(isThere: boolean, id: string): number {
  if (isThere) console.log(`${escapeControlChars(id)} is withdrawn.`);
  else console.error(`There is no revocation ${escapeControlChars(id)}.`);
  return isThere ? GOOD : NOT_GOOD;
}

/**
 * A revocation ahead of time is good, and one with a typing error looks the same: says whether the name was ever seen.
 * @param settings those of the server, with its audit log at hand; undefined where it is elsewhere.
 */
async function sayIfUnknown(
  members: Readonly<Record<string, unknown>>,
  settings: Settings | undefined,
): Promise<void> {
  const note = await unknownNote(members, settings).catch(() => NOT_CHECKED);
  if (note !== undefined) console.error(note);
}

/** The database, or the server, says who is on record only in its own audit log, which is a file there. */
function settingsOrNone(): Settings | undefined {
  try {
    return ownSettings();
  } catch {
    return undefined;
  }
}

/** With `--server` the other settings of a gate may be missing. */
function ownProxies(): OutboundSettings | undefined {
  const values = proxyVariables(readEnvironment());
  const outbound = readOutbound(values);
  for (const [name, proxy] of [
    ['HTTPS_PROXY', outbound?.https],
    ['HTTP_PROXY', outbound?.http],
  ] as const) {
    if (values[name] !== undefined && !proxy) throw new Refusal(`${name} is no URL of a proxy.`);
  }
  return outbound;
}

function ownSettings(): Settings {
  return loadSettings(readEnvironment(), (path) => readFileSync(path, 'utf8'));
}

/** @throws ConfigurationError with every fault of the variables. */
function onlyIssuer(): string | undefined {
  const { issuers } = ownSettings().auth;
  return issuers.length === 1 ? issuers[0]?.issuer : undefined;
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const isForeseen = error instanceof Refusal || (error as Error).name === 'ConfigurationError';
    console.error(isForeseen ? (error as Error).message : error);
    process.exitCode = NOT_GOOD;
  },
);
