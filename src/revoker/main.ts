/** `npm run revoke`: what is to be revoked in, done or not done out. */
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { readRevocation } from '../admin/read-revocation.js';
import { lostOptions, usageError, WRONG_USAGE } from '../cli/usage.js';
import { visible } from '../common/show.js';
import { npmVariables, readEnvironment } from '../config/environment.js';
import { loadSettings } from '../config/load-settings.js';
import type { Settings } from '../config/settings.js';
import { expiryOf } from '../revocation/expiry.js';
import {
  addRevocation,
  loadRevocations,
  withdrawRevocation,
  type StoredRevocation,
} from '../revocation/revocation-store.js';
import { openConnection, type Connection } from '../storage/connection.js';
import { publicReason } from '../storage/public-reason.js';
import { HELP, readCommandLine, USAGE, type Command } from './command-line.js';

const GOOD = 0;
const NOT_GOOD = 1;
const TIMEOUT_MS = 10_000;

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
  return command.server === undefined ? inDatabase(command) : atServer(command, command.server);
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

async function work(command: Work, { db }: Connection, { auth }: Settings): Promise<number> {
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
      return GOOD;
    }
  }
}

async function atServer(command: Work, server: string): Promise<number> {
  if (!URL.canParse(server)) throw new Refusal('--server is no URL.');
  if (command.kind === 'revoke' && command.by !== undefined) {
    throw new Refusal('--by has no effect with --server: the token says who you are.');
  }
  const base = new URL('/admin/revocations', server);
  const isOwn = ['127.0.0.1', 'localhost', '[::1]'].includes(base.hostname);
  if (base.protocol !== 'https:' && !isOwn) throw new Refusal('--server must be https: a token goes there.');
  const token = readFileSync(0, 'utf8').trim();
  // What fetch says of a header that it cannot send quotes it.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Refusal('On stdin there is no token: it must be one line, as the issuer gave it.');
  }
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
      throw new Refusal(`The server cannot be asked (${causeOf(error)}).`);
    });
  const response =
    command.kind === 'list'
      ? await ask('', 'GET')
      : command.kind === 'withdraw'
        ? await ask(`/${encodeURIComponent(command.id)}`, 'DELETE')
        : await ask('', 'POST', command.members);
  if (command.kind === 'withdraw' && (response.status === 204 || response.status === 404)) {
    return done(response.status === 204, command.id);
  }
  const answer = (await response.json().catch(() => ({}))) as {
    error?: { message?: string };
    revocations?: object[];
  };
  if (!response.ok) {
    throw new Refusal(
      `The server answered ${response.status}: ${visible(answer.error?.message ?? 'no reason')}`,
    );
  }
  show(answer.revocations ?? [answer], command.json);
  return GOOD;
}

/** What fetch failed of, which it calls by itself `fetch failed`. */
function causeOf({ name, message, cause }: Error): string {
  const { code, message: reason } = (cause ?? {}) as Partial<NodeJS.ErrnoException>;
  return code ?? reason ?? (name === 'TimeoutError' ? 'no answer in time' : message);
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
  return visible(`${id}  ${kind} ${value} of ${issuer}, issued until ${until}, by ${by}${why}`);
}

function done(isThere: boolean, id: string): number {
  if (isThere) console.log(`${visible(id)} is withdrawn.`);
  else console.error(`There is no revocation ${visible(id)}.`);
  return isThere ? GOOD : NOT_GOOD;
}

function ownSettings(): Settings {
  return loadSettings(readEnvironment(), (path) => readFileSync(path, 'utf8'));
}

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
