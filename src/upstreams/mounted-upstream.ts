/** One upstream: discovered tools, calls and state. */
import { principalKey } from '../core/principal.js';
import type { EventLog } from '../core/event-logger.js';
import type { JsonObject } from '../lib/json.js';
import { redactTokens } from '../lib/redact-tokens.js';
import type { UpstreamSettings } from '../config/settings.js';
import type { MountedToolDefinition } from '../tools/definitions.js';
import { matchingEntries, unmatchedPatterns } from '../tools/mounted-names.js';
import { ToolError, ToolUnavailable } from '../tools/results.js';
import type { ToolCall } from '../tools/tool-call.js';
import { personKey, authorizationKey, type UpstreamCaller } from './connection/upstream-caller.js';
import { Connection } from './connection/connection.js';
import { ConnectionPool } from './connection/connection-pool.js';
import { credentialsOf, type UpstreamCredentials } from './connection/credentials.js';
import { explainFailure, missingIn } from './connection/explain-failure.js';
import { mountTool, undeclaredArguments, type Relay } from './mount.js';
import { openTransport } from './connection/open-transport.js';
import type { ReadTools, UpstreamTool } from './connection/read-tools.js';
import { toToolResult } from './tool-result.js';
import { UpstreamError, type UpstreamErrorCode } from './connection/upstream-error.js';

export interface UpstreamContext {
  /** Parent of the default working directories. */
  readonly folder: string;
  /** Identity header of one call; undefined without the setting. */
  readonly identityHeader:
    ((caller: UpstreamCaller, tool: string, decisionId: string) => Promise<string>) | undefined;
  readonly log: EventLog;
  /** Discovery found other tools, or finished for the first time. */
  onFound(): void;
}

export type UpstreamState = 'unknown' | 'up' | 'down';

/** Minimum interval of list requests after change notifications. */
const LIST_EVERY_MS = 1_000;
const MAX_STDERR_TAIL = 500;
const STDERR_LINES = 5;
/** Key of the connection without a caller. */
const NO_CALLER_KEY = '';
/** Codes that permit a retry on a new connection: the call was not executed. */
const TRY_AGAIN: readonly UpstreamErrorCode[] = ['session_lost', 'unauthorized'];

export class MountedUpstream {
  readonly credentials: UpstreamCredentials;
  state: UpstreamState = 'unknown';
  /** Name and revision reported by the server. Null before its first answer. */
  about: string | null = null;
  /** Omitted tools with causes. */
  faults: readonly string[] = [];
  /** Last lines of stderr. */
  readonly stderrTail: string[] = [];
  private readonly pool: ConnectionPool;
  /** End of the last process, and its stderr line about a missing part. */
  private exited: string | undefined;
  private missing: string | undefined;
  private tools: ReadonlyMap<string, UpstreamTool> | undefined;
  private listing: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  /** Kill functions of running processes. */
  private readonly kills = new Set<() => void>();

  constructor(
    readonly settings: UpstreamSettings,
    private readonly context: UpstreamContext,
  ) {
    this.credentials = credentialsOf(settings.transport === 'http' ? settings.auth : undefined);
    this.pool = new ConnectionPool({
      settings,
      keyOf: (caller) => this.keyOf(caller),
      open: (key, caller, ended) => this.open(key, caller, ended),
    });
  }

  /** Discovered tools; undefined before discovery. */
  get found(): ReadonlyMap<string, UpstreamTool> | undefined {
    return this.tools;
  }

  /** Number of open connections. */
  get size(): number {
    return this.pool.size;
  }

  /** Rest of the pause in milliseconds. */
  get pausedFor(): number {
    return this.pool.pausedFor;
  }

  /** True if discovery needs a caller. */
  get needsCaller(): boolean {
    return this.credentials.isPersonal;
  }

  /** Runs discovery, without a caller if possible. Never throws. */
  refresh(caller?: UpstreamCaller): Promise<void> {
    this.looking ??= this.ask(caller).finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  /** @returns undefined without an entry in the file. @throws Error if the tool cannot match the file. */
  mount(tool: UpstreamTool, withheld: string | undefined): MountedToolDefinition | undefined {
    const relay: Relay = (args, call, token) => {
      const undeclared = definition ? undeclaredArguments(definition, args) : [];
      if (undeclared.length > 0) {
        throw new ToolError(`Invalid arguments: ${undeclared.slice(0, 20).map(named).join('; ')}`);
      }
      return this.relay(tool, args, call, { principal: call.principal, token });
    };
    const definition = mountTool(this.settings, tool, relay, withheld);
    return definition;
  }

  /** Immediately: this process ends. */
  kill(): void {
    for (const end of this.kills) end();
  }

  /** Resolves when all connections are closed. */
  async close(): Promise<void> {
    clearTimeout(this.listing);
    await this.pool.closeAll();
  }

  private async relay(
    tool: UpstreamTool,
    args: JsonObject,
    call: ToolCall,
    caller: UpstreamCaller,
  ): Promise<JsonObject> {
    const { settings } = this;
    const timeoutMs =
      matchingEntries(settings, tool.name).findLast((entry) => entry.timeoutMs !== undefined)?.timeoutMs ??
      settings.callTimeoutMs;
    const work = async (connection: Connection) => {
      // Compares with the list of this connection.
      if (connection.find(tool.name)?.digest !== tool.digest) {
        throw new UpstreamError('changed', 'the definition of its tool differs from the pin');
      }
      return connection.call(tool.name, args, {
        signal: call.signal,
        timeoutMs,
        progress: (...toPublicError) => void call.progress(...toPublicError),
        headers: await this.identityOf(caller, tool.name, call.decisionId),
      });
    };
    const endsWith = (error: unknown) => settings.transport === 'http' && maySucceedAnew(error);
    const use = { caller, signal: call.signal, patienceMs: timeoutMs, work, endsWith };
    try {
      return toToolResult(await this.withAnotherTry(use));
    } catch (error) {
      call.signal.throwIfAborted();
      throw this.toPublicError(error);
    }
  }

  private async withAnotherTry(
    use: Parameters<ConnectionPool['use']>[0] & { caller: UpstreamCaller },
  ): Promise<JsonObject> {
    try {
      return (await this.pool.use(use)) as JsonObject;
    } catch (error) {
      if (this.settings.transport !== 'http' || !maySucceedAnew(error)) throw error;
      if (error.code === 'unauthorized') this.credentials.forget(use.caller);
      return (await this.pool.use(use)) as JsonObject;
    }
  }

  private async identityOf(
    caller: UpstreamCaller,
    tool: string,
    decisionId: string,
  ): Promise<Record<string, string>> {
    const { settings, context } = this;
    if (settings.transport !== 'http' || !settings.identityHeader || !context.identityHeader) return {};
    return { [settings.identityHeader.name]: await context.identityHeader(caller, tool, decisionId) };
  }

  /** Public message; text of the upstream only with relay_errors. */
  private toPublicError(error: unknown): ToolUnavailable {
    const { name, relaysErrors } = this.settings;
    if (!(error instanceof UpstreamError))
      return new ToolUnavailable(`The upstream ${name} failed.`, { cause: error });
    const { message, code, cause } = error;
    const stderrTail =
      relaysErrors && code === 'refused' && cause instanceof Error ? `: ${this.masked(cause.message)}` : '';
    return new ToolUnavailable(`The upstream ${name} failed: ${message}${stderrTail}.`, {
      cause: cause instanceof Error ? new Error(`${name}: ${this.masked(cause.message)}`) : error,
    });
  }

  private keyOf(caller: UpstreamCaller | undefined): string {
    const { processes } = this.settings;
    if (!caller) return NO_CALLER_KEY;
    // A connection with rights of one user is not shared.
    const rights = this.credentials.isPersonal ? authorizationKey(caller.principal) : '';
    if (processes === 'per_person') return `${personKey(caller.principal)} ${rights}`;
    if (processes === 'per_client') return `${principalKey(caller.principal)} ${rights}`;
    return rights;
  }

  private async open(
    key: string,
    caller: UpstreamCaller | undefined,
    ended: () => void,
  ): Promise<Connection> {
    const { settings, context } = this;
    this.missing = undefined;
    this.exited = undefined;
    // A change notification may arrive before the connection is ready.
    let opened: Connection | undefined;
    const connection = await Connection.open({
      settings,
      transport: (broken) =>
        openTransport(settings, {
          broken,
          key,
          folder: context.folder,
          headers: () => this.credentials.headersFor(caller),
          onStderr: (line) => this.onStderr(line),
          onExit: (how) => {
            this.exited = how;
          },
          processes: this.kills,
        }),
      onListChanged: () => this.listSoon(() => opened),
      onClose: () => {
        if (this.speaksForAll(caller)) this.state = 'down';
        context.log.write('upstream.disconnected', `Upstream ${settings.name}: connection ended`);
        ended();
      },
      onError: (error) =>
        context.log.write(
          'upstream.protocol_error',
          `Upstream ${settings.name}: protocol error: ${this.masked(error.message)}`,
        ),
    });
    opened = connection;
    if (this.speaksForAll(caller) || !this.tools) {
      this.about = connection.about;
      this.updateTools(connection.lastRead);
    }
    return connection;
  }

  /** True if the list of this connection applies to all callers. */
  private speaksForAll(caller: UpstreamCaller | undefined): boolean {
    return this.keyOf(caller) === NO_CALLER_KEY;
  }

  private async ask(caller: UpstreamCaller | undefined): Promise<void> {
    const { name, listTimeoutMs } = this.settings;
    try {
      await this.pool.use({ caller, patienceMs: listTimeoutMs, work: () => Promise.resolve() });
      // A connection for discovery only, if callers have their own.
      if (this.settings.processes !== 'shared' && !caller) await this.pool.drop(undefined);
    } catch (error) {
      const { message, code } = error as UpstreamError;
      this.state = 'down';
      if (code !== 'paused') {
        const { cause } = error as Error;
        const hint = explainFailure(error, this.settings, { how: this.exited, missing: this.missing });
        const detail = hint ?? (cause instanceof Error ? cause.message : undefined);
        const why = detail === undefined ? '' : ` (${this.masked(detail)})`;
        const stderrTail = this.stderrTail.length > 0 ? `; stderr: ${this.stderrTail.join(' | ')}` : '';
        this.context.log.write('upstream.failed', `Upstream ${name}: failed: ${message}${why}${stderrTail}`);
      }
    }
  }

  private updateTools(read: ReadTools): void {
    this.state = 'up';
    const before = this.tools;
    this.tools = new Map(read.tools.map((tool) => [tool.name, tool]));
    this.faults = read.faults;
    const digests = (tools: ReadonlyMap<string, UpstreamTool>) =>
      [...tools.values()].map(({ digest }) => digest);
    if (before && digests(before).sort().join() === digests(this.tools).sort().join()) return;
    const { log } = this.context;
    for (const fault of read.faults)
      log.write('upstream.tool_omitted', `Upstream ${this.settings.name}: ${fault}`);
    for (const pattern of unmatchedPatterns(this.settings, [...this.tools.keys()])) {
      log.write(
        'upstream.pattern_unmatched',
        `Upstream ${this.settings.name}: match ${pattern} matches no tool`,
      );
    }
    this.context.onFound();
  }

  /** Throttles change notifications. */
  private listSoon(connection: () => Connection | undefined): void {
    if (this.listing) return;
    this.listing = setTimeout(() => {
      this.listing = undefined;
      // A connection that is still opening lists its tools itself.
      void this.listAgain(connection());
    }, LIST_EVERY_MS).unref();
  }

  private async listAgain(connection: Connection | undefined): Promise<void> {
    const { name, processes } = this.settings;
    try {
      const read = await connection?.list();
      if (read && processes === 'shared' && !this.needsCaller) this.updateTools(read);
    } catch (error) {
      const { message } = error as Error;
      this.context.log.write('upstream.list_failed', `Upstream ${name}: tool list not read: ${message}`);
    }
  }

  private onStderr(line: string): void {
    const masked = this.masked(line);
    this.missing ??= missingIn(masked);
    this.stderrTail.push(masked);
    if (this.stderrTail.length > STDERR_LINES) this.stderrTail.shift();
    this.context.log.write('upstream.stderr', `Upstream ${this.settings.name}: stderr: ${masked}`);
  }

  /** Text of the upstream without its secrets. */
  private masked(text: string): string {
    const without = secretsOf(this.settings).reduce(
      (rest, secret) => rest.replaceAll(secret, '[secret]'),
      text,
    );
    return redactTokens(without).slice(0, MAX_STDERR_TAIL);
  }
}

function maySucceedAnew(error: unknown): error is UpstreamError {
  return error instanceof UpstreamError && TRY_AGAIN.includes(error.code);
}

function secretsOf(settings: UpstreamSettings): string[] {
  if (settings.transport === 'stdio') return settings.secrets.filter((secret) => secret !== '');
  // With and without its scheme.
  return settings.auth?.method === 'secret'
    ? [settings.auth.value, settings.auth.value.replace(/^\S+ /, '')]
    : [];
}

function named(argument: string): string {
  return `${argument.slice(0, 100)} should not exist`;
}
