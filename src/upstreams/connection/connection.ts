/** One connection to an upstream: handshake, tool list and calls. */
import {
  Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  type RequestOptions,
  type Transport,
} from '@modelcontextprotocol/client';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { causeChain } from '../../lib/root-cause.js';
import { PRODUCT_NAME, VERSION } from '../../lib/version.js';
import { withDeadline } from '../../lib/with-timeout.js';
import type { UpstreamSettings } from '../../config/settings.js';
import { TOO_LARGE } from './child-process.transport.js';
import { readTools, type ReadTools, type UpstreamTool } from './read-tools.js';
import { CONTRADICTION } from './tolerant-message.js';
import { AnswerTooLarge, CALL_HEADER } from './upstream-fetch.js';
import { UpstreamError } from './upstream-error.js';
import { RESERVED_META_PREFIX } from '../../core/mcp-types.js';
import { MODERN_REVISION } from '../../core/revisions.js';

export interface CallOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly progress: (progress: number, total?: number, message?: string) => void;
  /** Headers of this HTTP request. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface ConnectionOptions {
  readonly settings: Pick<UpstreamSettings, 'protocol' | 'transport' | 'connectTimeoutMs' | 'listTimeoutMs'>;
  /**
   * Creates a transport; the client starts it.
   * @param broken called with the {@link CALL_HEADER} of a request whose HTTP response breaks off or ends.
   */
  transport(broken: (call: string, error: Error) => void): Transport;
  /** The upstream reports changed tools, possibly often. */
  onListChanged(): void;
  /** The connection ended unexpectedly. */
  onClose(): void;
  /** An error outside of responses, for the log. */
  onError(error: Error): void;
}

/** Limit for endless or circular lists. */
const MAX_PAGES = 100;
const MAX_TOOLS = 2_000;
/** Limit of all pages together. */
const MAX_LIST_LENGTH = 16 * 1024 * 1024;
/** Minimum interval of progress notifications to callers. */
const PROGRESS_EVERY_MS = 100;

/** Accepts a result of any form. */
const ANY_OBJECT = {
  '~standard': {
    version: 1,
    vendor: PRODUCT_NAME,
    validate: (value: unknown) =>
      isJsonObject(value) ? { value } : { issues: [{ message: 'the result is not an object' }] },
  },
} as const;

export class Connection {
  private tools: ReadonlyMap<string, UpstreamTool> = new Map();
  private read: ReadTools = { tools: [], faults: [] };
  private closed = false;
  private calls = 0;
  /** Running calls: ends a call whose response breaks off. */
  private readonly broken = new Map<string, (error: Error) => void>();

  private constructor(
    private readonly client: Client,
    private readonly transport: Transport,
    private readonly options: ConnectionOptions,
  ) {}

  /** @throws UpstreamError before the first tool list. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const { protocol, transport } = options.settings;
    // On stdio an unknown request may end an old server, so the old handshake comes first.
    const modes =
      protocol === 'auto' ? (transport === 'stdio' ? ['legacy', 'modern'] : ['auto']) : [protocol];
    let first: unknown;
    for (const mode of modes) {
      try {
        return await Connection.connect(mode as UpstreamSettings['protocol'], options);
      } catch (error) {
        first ??= error;
        // Only after an unexpected answer the server may support the other era.
        if (!(error instanceof ProtocolError) && !isUnsupported(error)) break;
      }
    }
    throw failure(first);
  }

  private static async connect(
    mode: UpstreamSettings['protocol'],
    options: ConnectionOptions,
  ): Promise<Connection> {
    const { connectTimeoutMs } = options.settings;
    const client = new Client(
      { name: PRODUCT_NAME, version: VERSION },
      {
        // No roots, sampling or elicitation: an upstream must not use capabilities of a caller's client.
        capabilities: {},
        inputRequired: { autoFulfill: false },
        versionNegotiation: { mode: mode === 'modern' ? { pin: MODERN_REVISION } : mode },
        listChanged: {
          tools: { autoRefresh: false, debounceMs: 0, onChanged: () => options.onListChanged() },
        },
      },
    );
    let connection: Connection | undefined;
    const transport = options.transport((call, error) => connection?.broken.get(call)?.(error));
    connection = new Connection(client, transport, options);
    client.onerror = (error) => options.onError(error);
    client.onclose = () => connection?.hasEnded();
    try {
      // The client library does not enforce its time limit during the whole handshake.
      await withDeadline(
        client.connect(transport, { timeout: connectTimeoutMs }),
        connectTimeoutMs + 1_000,
        () => new UpstreamError('timeout', 'The handshake took too long'),
      );
      await connection.list();
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** Last tool list. */
  get lastRead(): ReadTools {
    return this.read;
  }

  /** Name and revision reported by the server. */
  get about(): string {
    const { name, version } = this.client.getServerVersion() ?? {};
    return `${name ?? 'without a name'} ${version ?? ''}, ${this.client.getNegotiatedProtocolVersion() ?? 'unknown revision'}`;
  }

  /** Tool of the last list. */
  find(name: string): UpstreamTool | undefined {
    return this.tools.get(name);
  }

  /** Reads all pages. @throws UpstreamError */
  async list(): Promise<ReadTools> {
    try {
      this.read = readTools(await this.pages());
      this.tools = new Map(this.read.tools.map((tool) => [tool.name, tool]));
      return this.read;
    } catch (error) {
      throw failure(error);
    }
  }

  /** @returns the result without members that concern only this connection. @throws UpstreamError */
  async call(name: string, args: JsonObject, options: CallOptions): Promise<JsonObject> {
    const { signal, timeoutMs, headers } = options;
    const onprogress = throttled(options.progress);
    const id = String(++this.calls);
    const settings = { signal, timeout: timeoutMs, onprogress, headers: { ...headers, [CALL_HEADER]: id } };
    // After a broken response the client library would wait for its time limit.
    const breaks = new Promise<never>((_resolve, reject) => {
      this.broken.set(id, (cause) => {
        const isOversize = cause instanceof AnswerTooLarge;
        reject(isOversize ? cause : new UpstreamError('unreachable', 'its answer broke off', { cause }));
      });
    });
    try {
      return stripProtocolMeta(await Promise.race([this.request(name, args, settings), breaks]));
    } catch (error) {
      throw failure(error);
    } finally {
      this.broken.delete(id);
    }
  }

  /** Resolves when the connection is closed. */
  async close(): Promise<void> {
    this.closed = true;
    await this.client.close().catch(() => undefined);
    // A client that never connected does not close its transport.
    await this.transport.close().catch(() => undefined);
  }

  private async request(name: string, args: JsonObject, settings: RequestOptions): Promise<JsonObject> {
    const tool = this.tools.get(name);
    if (tool && this.client.getProtocolEra() === 'modern' && namesHeaders(tool)) {
      // The client library copies some arguments to headers, by their schema.
      const toolDefinition = { name, inputSchema: tool.definition.inputSchema } as never;
      return this.client.callTool(
        { name, arguments: args },
        { ...settings, toolDefinition },
      ) as Promise<never>;
    }
    const request = { method: 'tools/call', params: { name, arguments: args } };
    return this.client.request(request, ANY_OBJECT as never, settings) as Promise<never>;
  }

  private hasEnded(): void {
    if (this.closed) return;
    this.closed = true;
    this.options.onClose();
  }

  private async pages(): Promise<unknown[]> {
    const tools: unknown[] = [];
    const seen = new Set<unknown>();
    const until = Date.now() + this.options.settings.listTimeoutMs;
    let cursor: unknown;
    let length = 0;
    for (let page = 0; page < MAX_PAGES && tools.length < MAX_TOOLS; page++) {
      const request = { method: 'tools/list', params: cursor === undefined ? {} : { cursor } };
      const timeout = Math.max(until - Date.now(), 1);
      const result = (await this.client.request(request, ANY_OBJECT as never, { timeout })) as JsonObject;
      length += lengthOf(result);
      if (length > MAX_LIST_LENGTH) throw new UpstreamError('too_large', 'its list was too large');
      if (Array.isArray(result.tools)) tools.push(...(result.tools as unknown[]));
      cursor = result.nextCursor;
      // Some servers end with an empty cursor.
      if (typeof cursor !== 'string' || cursor === '' || seen.has(cursor)) break;
      seen.add(cursor);
    }
    return tools.slice(0, MAX_TOOLS);
  }
}

/** Maps an error to the closed list of codes. */
function failure(error: unknown): UpstreamError {
  // The client library wraps errors of the request.
  const causes = causeChain(error);
  const known = causes.find((one) => one instanceof UpstreamError);
  if (known) return known as UpstreamError;
  const said = { cause: error };
  if (error instanceof ProtocolError) {
    if (error.code === TOO_LARGE) return new UpstreamError('too_large', 'its answer was too large', said);
    if (error.code === CONTRADICTION)
      return new UpstreamError('refused', 'its answer contains both a result and an error', said);
    return new UpstreamError('refused', `it answered with the error ${error.code}`, said);
  }
  if (error instanceof SdkHttpError) {
    const { status } = error;
    if (status === 401 || status === 403)
      return new UpstreamError('unauthorized', `it answered ${status}`, said);
    // Unknown session: 404, or 400 from older servers.
    if (status === 404 || status === 400)
      return new UpstreamError('session_lost', `it answered ${status}`, said);
    return new UpstreamError('unreachable', `it answered ${status}`, said);
  }
  if (error instanceof SdkError) {
    if (error.code === SdkErrorCode.RequestTimeout)
      return new UpstreamError('timeout', 'it did not answer in time', said);
    if (error.code === SdkErrorCode.ConnectionClosed) {
      return new UpstreamError('unreachable', 'it ended before it answered', said);
    }
    if (error.code === SdkErrorCode.UnsupportedResultType) {
      return new UpstreamError('refused', 'it requests input, which the gateway does not support', said);
    }
    if (error.code === SdkErrorCode.InvalidResult)
      return new UpstreamError('refused', 'invalid result', said);
  }
  if (causes.some((one) => one instanceof AnswerTooLarge)) {
    return new UpstreamError('too_large', 'its answer was too large', said);
  }
  // A write to an ended process.
  if (causes.some(({ code }) => code === 'EPIPE'))
    return new UpstreamError('unreachable', 'it ended before it answered', said);
  return new UpstreamError('unreachable', 'it cannot be reached', said);
}

function isUnsupported(error: unknown): boolean {
  return error instanceof Error && /protocol version/i.test(error.message);
}

/** Removes members between upstream and gateway: server information and cache hints. */
function stripProtocolMeta(result: JsonObject): JsonObject {
  const { _meta: meta, resultType: _type, ...rest } = result;
  if (!isJsonObject(meta)) return rest;
  const own = Object.entries(meta).filter(([name]) => !name.startsWith(RESERVED_META_PREFIX));
  return own.length > 0 ? { ...rest, _meta: Object.fromEntries(own) } : rest;
}

function namesHeaders({ definition }: UpstreamTool): boolean {
  return JSON.stringify(definition.inputSchema).includes('"x-mcp-header"');
}

function throttled(notify: CallOptions['progress']) {
  let lastNotified = -Infinity;
  let isOver = false;
  return ({ progress, total, message }: { progress: number; total?: number; message?: string }) => {
    const now = performance.now();
    const isDone = total !== undefined && progress >= total;
    // The final notification is always sent; later ones are throttled.
    if (now - lastNotified < PROGRESS_EVERY_MS && (!isDone || isOver)) return;
    lastNotified = now;
    isOver ||= isDone;
    notify(progress, total, message);
  };
}

/** Approximate length of the JSON. Not recursive: the depth is unchecked. */
function lengthOf(root: unknown): number {
  const pending = [root];
  let length = 0;
  while (pending.length > 0) {
    const value = pending.pop();
    length += typeof value === 'string' ? value.length + 3 : 5;
    if (typeof value !== 'object' || value === null) continue;
    const names = Array.isArray(value) ? [] : Object.keys(value);
    length += names.reduce((sum, name) => sum + name.length + 3, 0);
    for (const inner of Object.values(value) as unknown[]) pending.push(inner);
  }
  return length;
}
