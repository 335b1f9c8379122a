/** `mcp-gate revoke`: revocations in the database, or through a running server. */
import { readFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { loadSettings, type Environment } from '../../config/load-settings.js';
import { proxyVariables, readOutbound } from '../../config/proxies.js';
import { isLoopbackHost } from '../../config/rules.js';
import type { OutboundSettings, Settings } from '../../config/settings.js';
import { useProxies } from '../../http/outbound/outbound.js';
import { escapeControlChars } from '../../lib/format-text.js';
import { readRevocation } from '../../revocation/admin/read-revocation.js';
import { expiryOf } from '../../revocation/expiry.js';
import { addRevocation, loadRevocations, withdrawRevocation } from '../../revocation/revocation-store.js';
import { openConnection, type Connection } from '../../storage/connection.js';
import { publicReason } from '../../storage/public-reason.js';
import { EXIT_FAILED, EXIT_OK, type CommandContext } from '../run-command.js';
import { UsageError } from '../usage.js';
import { askServer, readAdminToken } from './ask-server.js';
import type { RevokeRequest } from './command-line.js';
import { revocationsAt } from './server-url.js';
import { toRevocationJson } from '../../revocation/revocation-json.js';
import { renderRevocations, renderWithdrawn } from './show-revocations.js';
import { NOT_CHECKED, unknownNote } from './unknown-note.js';

type Members = Readonly<Record<string, unknown>>;

/** Result before printing. Undefined if no revocation has the id. */
type Result = readonly object[] | undefined;

/** @throws Error with a public message, or ConfigurationError. */
export async function runRevoke(request: RevokeRequest, context: CommandContext): Promise<number> {
  const { server } = request;
  const members = request.kind === 'revoke' ? membersIn(request, context.environment) : {};
  const asksAboutLog = server === undefined ? true : isLoopbackHost(revocationsAt(server).hostname);
  context.progress(server === undefined ? 'Waiting for the database' : 'Waiting for the server');
  const result =
    server === undefined
      ? await inDatabase(request, members, settingsIn(context.environment()))
      : await atServer(request, members, revocationsAt(server), context.environment());
  if (request.kind === 'withdraw') {
    if (result) await context.write(renderWithdrawn(request.id, request.json));
    else console.error(`No revocation has the id ${escapeControlChars(request.id)}.`);
    return result ? EXIT_OK : EXIT_FAILED;
  }
  await context.write(renderRevocations(result ?? [], request.json));
  if (request.kind === 'revoke') {
    await noteIfUnknown(members, asksAboutLog ? settingsOrNone(context.environment) : undefined);
  }
  return EXIT_OK;
}

async function inDatabase(request: RevokeRequest, members: Members, settings: Settings): Promise<Result> {
  const { databaseUrl } = settings.storage;
  if (request.kind === 'revoke' && settings.revocation.maxAgeSeconds === 0) {
    throw new Error('Revocation is disabled by REVOCATION_MAX_AGE_SECONDS=0. Set it to a number above 0.');
  }
  if (databaseUrl === undefined) {
    throw new Error('Only the server can open the embedded database: use --server.');
  }
  let connection: Connection | undefined;
  try {
    connection = await openConnection(settings.storage, () => undefined);
    return await changeDatabase(request, members, connection, settings);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new Error(`The database rejected the command: ${publicReason(error, databaseUrl)}`);
  } finally {
    await connection?.close();
  }
}

async function changeDatabase(
  request: RevokeRequest,
  members: Members,
  { db }: Connection,
  { auth }: Settings,
): Promise<Result> {
  switch (request.kind) {
    case 'list':
      return (await loadRevocations(db)).map(toRevocationJson);
    case 'withdraw':
      return (await withdrawRevocation(db, request.id)) ? [] : undefined;
    case 'revoke': {
      const read = readRevocation(members, Date.now(), auth.issuers);
      if (!read.ok) throw new UsageError(`${read.fault}.`);
      const { revocation } = read;
      const issuer = auth.issuers.find((one) => one.issuer === revocation.issuer);
      const by = request.by ?? `${userInfo().username}@${hostname()}`;
      const expiresAt = expiryOf(revocation.kind, revocation.issuedBefore, issuer);
      return [toRevocationJson(await addRevocation(db, { ...revocation, by, expiresAt }))];
    }
  }
}

async function atServer(
  request: RevokeRequest,
  members: Members,
  base: URL,
  env: Environment,
): Promise<Result> {
  const leaveProxies = await useProxies(proxiesIn(env));
  try {
    const token = await readAdminToken();
    return await askServer(request.kind === 'revoke' ? { kind: 'revoke', members } : request, base, token);
  } finally {
    await leaveProxies();
  }
}

/** Members of the administration API. */
function membersIn(
  { what, value, issuer, issuedBefore, reason }: Extract<RevokeRequest, { kind: 'revoke' }>,
  environment: () => Environment,
): Members {
  const named = issuer ?? onlyIssuer(settingsIn(environment()));
  if (named === undefined) throw new UsageError('--issuer is required: several issuers are configured.');
  return {
    kind: what,
    issuer: named,
    ...(value !== undefined && { value }),
    ...(issuedBefore !== undefined && { issued_before: issuedBefore }),
    ...(reason !== undefined && { reason }),
  };
}

/**
 * A revocation may precede the first token, but a mistyped name looks the same, so the note reports unknown names.
 * @param settings of the server if its audit log is on this machine; otherwise undefined.
 */
async function noteIfUnknown(members: Members, settings: Settings | undefined): Promise<void> {
  const note = await unknownNote(members, settings).catch(() => NOT_CHECKED);
  if (note !== undefined) console.error(note);
}

/** Undefined on another machine than that of the server, which has no audit log. */
function settingsOrNone(environment: () => Environment): Settings | undefined {
  try {
    return settingsIn(environment());
  } catch {
    return undefined;
  }
}

/** With `--server` other settings may be missing. */
function proxiesIn(env: Environment): OutboundSettings | undefined {
  const values = proxyVariables(env);
  const outbound = readOutbound(values);
  for (const [name, proxy] of [
    ['HTTPS_PROXY', outbound?.https],
    ['HTTP_PROXY', outbound?.http],
  ] as const) {
    if (values[name] !== undefined && !proxy) throw new Error(`${name} is not a valid proxy URL.`);
  }
  return outbound;
}

function onlyIssuer({ auth: { issuers } }: Settings): string | undefined {
  return issuers.length === 1 ? issuers[0]?.issuer : undefined;
}

/** @throws ConfigurationError with every fault of the variables. */
function settingsIn(env: Environment): Settings {
  return loadSettings(env, (path) => readFileSync(path, 'utf8'));
}
