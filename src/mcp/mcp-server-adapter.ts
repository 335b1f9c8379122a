/** The only place that knows the MCP SDK: from an allowed exchange to the SDK's server and back. */
import {
  toNodeHandler,
  toWebRequest,
  type NodeIncomingMessageLike,
  type NodeMcpRequestHandler,
} from '@modelcontextprotocol/node';
import {
  CLIENT_CAPABILITIES_META_KEY,
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  ProtocolError,
  type McpHttpHandler,
  Server,
  type McpRequestContext,
  type ServerContext,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { AppError } from '../core/app-error.js';
import {
  messageOf,
  type AnswerForm,
  type Exchange,
  type JsonObject,
  type Message,
} from '../core/request-context.js';
import type { Principal } from '../core/principal.js';
import { VERSION } from '../lib/version.js';
import type { LoadedPolicy } from '../policy/load-policy.js';
import { notThereError } from '../policy/denial.js';
import { PolicyService } from '../policy/policy.service.js';
import { RevocationsService } from '../revocation/revocation.service.js';
import { renderToolFailure } from '../tools/render-result.js';
import type { InputRequired } from '../tools/results.js';
import { ToolRegistry } from '../tools/registry.js';
import type { ToolCall } from '../tools/tool-call.js';
import { ToolInvoker, type Invoked } from '../tools/tool-invoker.js';
import { UpstreamsService } from '../upstreams/upstreams.service.js';
import { inForm } from './response-format.js';
import { downLevel } from './adapt-to-revision.js';
import { headersFor } from './parse-request.js';
import { InFlightCalls } from './in-flight-calls.js';
import { REVOKED, Withheld, unlessWithheld } from './token-revoked-error.js';

export const SERVER_INFO = { name: 'identity-aware-mcp-server', version: VERSION };
const STATE_TTL_SECONDS = 600;
const MAX_LISTENING = 1_024;
const STREAM_RETRY_SECONDS = 30;
/** The longest time that a timer takes; a token that lives longer is cut off all the same. */
const MAX_TIMER_MS = 2_147_483_647;
const INTERNAL_ERROR = -32603;
const INVALID_PARAMS = -32602;
/** Why calls are cancelled whose callers must not see what comes of them. */

@Injectable()
export class SdkBridge implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger(SdkBridge.name);
  /** Calls that run, whoever runs them. */
  readonly inFlight = new InFlightCalls();
  /** Calls that have run already, and are only to be answered. */
  private readonly ended = new WeakMap<Exchange, Invoked>();
  private readonly handler = createMcpHandler((context) => this.server(context), {
    onerror: (error) => this.logger.debug(`The SDK refused or failed: ${error.message}`),
  });
  private readonly nodeHandlers: Readonly<Record<AnswerForm, NodeMcpRequestHandler>> = {
    either: toNodeHandler(toClient(this.handler, 'either')),
    json: toNodeHandler(toClient(this.handler, 'json')),
    events: toNodeHandler(toClient(this.handler, 'events')),
  };
  /** Who waits for changes. */
  private readonly listening = new Map<Exchange, McpHttpHandler>();
  /** Signs what a tool asks the client to keep for it; the key lives as long as this instance. */
  private readonly stateCodec = createRequestStateCodec<unknown>({
    key: randomBytes(32),
    ttlSeconds: STATE_TTL_SECONDS,
    bind: (context) => stateOwner(exchangeIn(context)),
  });

  constructor(
    private readonly registry: ToolRegistry,
    private readonly invoker: ToolInvoker,
    private readonly policy: PolicyService,
    private readonly revocations: RevocationsService,
    private readonly upstreams: UpstreamsService,
  ) {}

  onModuleInit(): void {
    this.policy.onChange((before) => this.tellOfChanges(before));
    this.revocations.onChange((isRevoked) => this.cut(isRevoked));
  }

  /** Before connections are waited for: who listens has to listen elsewhere. */
  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([...this.listening.values()].map((handler) => handler.close()));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.handler.close();
  }

  /** Asks every call that still runs to stop. */
  cancelCalls(): void {
    this.inFlight.cancelAll(() => true);
  }

  /**
   * Whether the state that this request brings back is the one that was given to this caller for this call.
   */
  async hasValidState(exchange: Exchange): Promise<boolean> {
    const { requestState } = messageOf(exchange).params;
    const context = { http: { authInfo: authOf(exchange) } } as unknown as ServerContext;
    return this.stateCodec.verify(requestState as string, context).then(
      () => true,
      () => false,
    );
  }

  /**
   * Answers an exchange that the gate has let through. Resolves when the answer is sent or the client is gone.
   * @throws AppError `token_revoked` where the token went out of force on the way here, which counting and recording
   *   may take seconds of.
   */
  async serve(response: ServerResponse, exchange: Exchange): Promise<void> {
    const message = messageOf(exchange);
    const principal = principalOf(exchange);
    await this.beforeAnswer(exchange);
    response.setHeader('cache-control', 'no-store');
    if (message.method === 'notifications/cancelled')
      this.inFlight.cancel(principal, message.params.requestId);
    if (message.method === 'subscriptions/listen') return this.listen(response, exchange);
    await this.nodeHandlers[message.form ?? 'either'](toSdkRequest(exchange), response, message.body);
  }

  /**
   * What is left to see to once a request was decided and recorded, whichever way it is answered.
   * @throws AppError `token_revoked` where the token went out of force on the way here, `tool_unknown` where what was
   *   allowed was replaced or withheld.
   */
  beforeAnswer(exchange: Exchange): void | Promise<void> {
    const checking = this.revocations.require(principalOf(exchange));
    if (checking) return checking.then(() => this.lastLook(exchange));
    this.lastLook(exchange);
  }

  private lastLook(exchange: Exchange): void {
    const { operation } = exchange;
    if (operation?.kind === 'call' && !this.registry.holds(operation.target))
      throw notThereError('tool_not_allowed', operation, messageOf(exchange).era);
    this.meet(exchange);
  }

  /** Upstreams that show their tools to their own callers alone hear of who asks what there is. */
  private meet(exchange: Exchange): void {
    if (messageOf(exchange).method !== 'tools/list') return;
    this.upstreams.meet({ principal: principalOf(exchange), token: exchange.heldToken });
  }

  /** Answers a call that has run already; where its stream is open, on that. */
  async serveEnded(response: ServerResponse, exchange: Exchange, invoked: Invoked): Promise<void> {
    this.ended.set(exchange, invoked);
    if (!response.headersSent) return this.serve(response, exchange);
    const parsedBody = messageOf(exchange).body;
    const asked = await toWebRequest(toSdkRequest(exchange), parsedBody);
    const answer = await this.handler.fetch(asked, { authInfo: authOf(exchange), parsedBody });
    response.end(await answer.text());
  }

  /** A stream of its own for each listener: what changes for one caller does not change for another. It ends with its token. */
  private async listen(response: ServerResponse, exchange: Exchange): Promise<void> {
    if (this.listening.size >= MAX_LISTENING) {
      throw new AppError('rate_limited', 'Too many open streams', {
        status: 429,
        retryAfterSeconds: STREAM_RETRY_SECONDS,
      });
    }
    const handler = createMcpHandler((context) => this.server(context), { maxSubscriptions: 1 });
    const left = principalOf(exchange).expiresAt * 1000 - Date.now();
    const end = setTimeout(() => void handler.close(), Math.min(Math.max(left, 0), MAX_TIMER_MS)).unref();
    this.listening.set(exchange, handler);
    try {
      const answer = toNodeHandler(toClient(handler, 'either'));
      await answer(toSdkRequest(exchange), response, messageOf(exchange).body);
    } finally {
      clearTimeout(end);
      this.listening.delete(exchange);
      await handler.close();
    }
  }

  /** Ends the streams of those whose tokens are out of force, and asks their calls to stop: their answers are kept from them. */
  private cut(isRevoked: (principal: Principal) => boolean): void {
    for (const [exchange, handler] of this.listening) {
      if (isRevoked(principalOf(exchange))) void handler.close();
    }
    this.inFlight.cancelAll(isRevoked, REVOKED);
  }

  private tellOfChanges(before: LoadedPolicy): void {
    for (const [exchange, { notify }] of this.listening) {
      const changed = this.policy.changedLists(before, principalOf(exchange), exchange.ip);
      if (changed.includes('tools')) notify.toolsChanged();
      if (changed.includes('prompts')) notify.promptsChanged();
      if (changed.includes('resources') || changed.includes('resourceTemplates')) notify.resourcesChanged();
    }
  }

  private server({ authInfo }: McpRequestContext): Server {
    const exchange = exchangeFrom(authInfo?.extra);
    const server = new Server(SERVER_INFO, this.options(messageOf(exchange).era));
    server.setRequestHandler('tools/list', () => ({ tools: this.shown(exchange) }) as never);
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const invoked =
        this.ended.get(exchange) ??
        (await this.running(exchange, context, (call) =>
          this.invoker.callTool(exchange, call, params.arguments),
        ));
      return (
        invoked.kind === 'failure'
          ? renderToolFailure(invoked.message, exchange.decisionId)
          : await this.resultOf(invoked, exchange, context)
      ) as never;
    });
    if (this.hasPrompts()) this.servePrompts(server, exchange);
    if (this.hasResources()) this.serveResources(server, exchange);
    return server;
  }

  private servePrompts(server: Server, exchange: Exchange): void {
    server.setRequestHandler('prompts/list', () => ({ prompts: this.shown(exchange) }) as never);
    server.setRequestHandler('prompts/get', ({ params }, context) =>
      this.answer(exchange, context, (call) => this.invoker.getPrompt(exchange, call, params.arguments)),
    );
    server.setRequestHandler('completion/complete', ({ params }, context) =>
      this.answer(exchange, context, (call) => this.invoker.complete(exchange, call, params.argument)),
    );
  }

  private serveResources(server: Server, exchange: Exchange): void {
    server.setRequestHandler('resources/list', () => ({ resources: this.shown(exchange) }) as never);
    server.setRequestHandler(
      'resources/templates/list',
      () => ({ resourceTemplates: this.shown(exchange) }) as never,
    );
    server.setRequestHandler('resources/read', ({ params }, context) =>
      this.answer(exchange, context, (call) => this.invoker.readResource(exchange, call, params.uri)),
    );
    // Without sessions there is no stream to tell an old client of a change on, and nothing here changes: a valid
    // subscription is acknowledged and stays silent.
    for (const method of ['resources/subscribe', 'resources/unsubscribe'] as const) {
      server.setRequestHandler(method, (_request, context) =>
        this.answer(exchange, context, (call) => this.invoker.acknowledge(exchange, call)),
      );
    }
  }

  private options(era: Message['era']): ServerOptions {
    const [prompts, resources] = [this.hasPrompts(), this.hasResources()];
    // Older revisions would have to be told on the stream of a session, and there are none.
    const listChanged = era === 'modern' && this.changes;
    return {
      capabilities: {
        logging: {},
        tools: { listChanged },
        ...(prompts && { prompts: { listChanged }, completions: {} }),
        ...(resources && { resources: { listChanged } }),
      },
      inputRequired: { legacyShim: false },
      requestState: { verify: (state, context) => this.stateCodec.verify(state, context) },
    };
  }

  /** What the gate decided, and the ledger has, that this caller sees. */
  private shown({ listing, audited }: Exchange): (JsonObject | undefined)[] {
    if (!listing || !audited) throw new Error('A list reached the SDK before it was decided and recorded');
    return listing.shown.map(({ kind, name }) => this.registry.find(kind, name)?.entry);
  }

  /** Whether a list can become another while this server runs. */
  private get changes(): boolean {
    return this.policy.settings.directory !== undefined || this.upstreams.mountsAny;
  }

  private hasPrompts(): boolean {
    return this.registry.list('prompts').length > 0;
  }

  private hasResources(): boolean {
    return this.registry.list('resources').length + this.registry.list('resourceTemplates').length > 0;
  }

  /** Runs it, and answers in the terms of its method. */
  private async answer(
    exchange: Exchange,
    context: ServerContext,
    run: (call: ToolCall) => Promise<Invoked>,
  ): Promise<never> {
    return this.resultOf(await this.running(exchange, context, run), exchange, context);
  }

  private async running(
    exchange: Exchange,
    context: ServerContext,
    run: (call: ToolCall) => Promise<Invoked>,
  ): Promise<Invoked> {
    const cancellation = new AbortController();
    const message = messageOf(exchange);
    const done = this.inFlight.add(principalOf(exchange), message.id, cancellation);
    const signal = AbortSignal.any([context.mcpReq.signal, cancellation.signal]);
    try {
      return await unlessWithheld(cancellation.signal, exchange.decisionId, () =>
        run(toToolCall(exchange, context, signal)),
      );
    } catch (error) {
      throw error instanceof Withheld ? new ProtocolError(error.code, error.message, error.data) : error;
    } finally {
      done();
    }
  }

  private async resultOf(invoked: Invoked, exchange: Exchange, context: ServerContext): Promise<never> {
    if (invoked.kind === 'result') {
      const { era, revision } = messageOf(exchange);
      return (
        era === 'legacy' && revision !== undefined ? downLevel(invoked.result, revision) : invoked.result
      ) as never;
    }
    if (invoked.kind === 'inputRequired')
      return (await this.questionOf(invoked.question, exchange, context)) as never;
    const code = invoked.fault === 'input' ? INVALID_PARAMS : INTERNAL_ERROR;
    throw new ProtocolError(code, invoked.message);
  }

  private async questionOf(
    question: InputRequired,
    exchange: Exchange,
    context: ServerContext,
  ): Promise<unknown> {
    if (messageOf(exchange).era === 'legacy') {
      throw new ProtocolError(
        INTERNAL_ERROR,
        'This needs to ask you something, which your protocol revision cannot do here',
      );
    }
    const { inputRequests, requestState } = question;
    return inputRequired({
      ...(inputRequests && { inputRequests: inputRequests as never }),
      ...(requestState !== undefined && { requestState: await this.stateCodec.mint(requestState, context) }),
    });
  }
}

/** The SDK says keep-alive on every stream; whether a connection goes on is for the server to say (RFC 9110 section 7.6.1). */
function toClient(handler: McpHttpHandler, form: AnswerForm): Pick<McpHttpHandler, 'fetch'> {
  return {
    fetch: async (request, options) => {
      const response = await handler.fetch(request, options);
      response.headers.delete('connection');
      return inForm(response, form);
    },
  };
}

/** The request as the SDK reads it: the message that was decided, and headers made from it. No other header gets there. */
function toSdkRequest(exchange: Exchange): NodeIncomingMessageLike {
  return {
    method: 'POST',
    url: '/',
    headers: headersFor(messageOf(exchange)),
    auth: authOf(exchange),
    // The message is handed over as it was parsed: there are no bytes to read.
    async *[Symbol.asyncIterator]() {},
  };
}

/** What the SDK carries along as the caller's identity. */
function authOf(exchange: Exchange) {
  const { clientId, scopes, expiresAt } = principalOf(exchange);
  // The token has done its work: nothing behind the gate ever sees it.
  return { token: 'withheld', clientId, scopes: [...scopes], expiresAt, extra: { exchange } };
}

function toToolCall(exchange: Exchange, context: ServerContext, signal: AbortSignal): ToolCall {
  const { mcpReq } = context;
  const progressToken = mcpReq._meta?.progressToken;
  const envelope = mcpReq.envelope as Record<string, unknown> | undefined;
  return {
    principal: principalOf(exchange),
    signal,
    decisionId: exchange.decisionId,
    traceparent: exchange.trace?.traceparent ?? null,
    clientCapabilities: (envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as JsonObject,
    inputResponses: mcpReq.inputResponses ?? {},
    requestState: mcpReq.requestState(),
    async progress(progress, total, message) {
      if (progressToken === undefined || signal.aborted) return;
      const params = {
        progressToken,
        progress,
        ...(total !== undefined && { total }),
        ...(message !== undefined && { message }),
      };
      await mcpReq.notify({ method: 'notifications/progress', params }).catch(untold);
    },
    async log(level, data) {
      if (!signal.aborted) await mcpReq.log(level, data).catch(untold);
    },
  };
}

/** A tool that does not wait for what it tells must not end the process with it: that cannot be written, or nobody hears it. */
function untold(): void {}

/** Sealed state is good for the same principal asking for the same thing, and for nobody and nothing else. */
function stateOwner(exchange: Exchange): string {
  const { issuer, subject, clientId } = principalOf(exchange);
  const { method } = messageOf(exchange);
  const called = exchange.operation?.kind === 'call' ? exchange.operation : undefined;
  return JSON.stringify([issuer, subject, clientId, method, called?.target.name, called?.arguments ?? {}]);
}

function exchangeIn(context: ServerContext | undefined): Exchange {
  return exchangeFrom(context?.http?.authInfo?.extra);
}

function exchangeFrom(extra: Record<string, unknown> | undefined): Exchange {
  const exchange = extra?.exchange as Exchange | undefined;
  if (!exchange) throw new Error('The SDK was reached without an exchange');
  return exchange;
}

function principalOf(exchange: Exchange): Principal {
  if (!exchange.principal) throw new Error('The SDK was reached without a principal');
  return exchange.principal;
}
