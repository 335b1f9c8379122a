/** The only place that knows the MCP SDK: from an allowed request to the SDK's server and back. */
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
import { messageOf, type AnswerForm, type RequestContext, type Message } from '../core/request-context.js';
import type { Principal } from '../core/principal.js';
import type { JsonObject } from '../lib/json.js';
import { PRODUCT_NAME, VERSION } from '../lib/version.js';
import type { LoadedPolicy } from '../policy/load-policy.js';
import { notFoundError } from '../policy/denial.js';
import { PolicyService } from '../policy/policy.service.js';
import { RevocationService } from '../revocation/revocation.service.js';
import { renderToolFailure } from '../tools/render-result.js';
import type { InputRequired } from '../tools/results.js';
import { ToolRegistry } from '../tools/tool-registry.js';
import type { ToolCall } from '../tools/tool-call.js';
import { ToolInvoker, type Invoked } from '../tools/tool-invoker.js';
import { UpstreamsService } from '../upstreams/upstreams.service.js';
import { inForm } from './response-format.js';
import { adaptToRevision } from './adapt-to-revision.js';
import { headersFor } from './parse-request.js';
import { InFlightCalls } from './in-flight-calls.js';
import { REVOKED, TokenRevokedError, rejectIfRevoked } from './token-revoked-error.js';
import { RpcCode } from '../core/rpc-code.js';

export const IMPLEMENTATION = { name: PRODUCT_NAME, version: VERSION };
const STATE_TTL_SECONDS = 600;
const MAX_LISTENING = 1_024;
const STREAM_RETRY_SECONDS = 30;
/** The longest time that a timer takes; a token that lives longer is cut off all the same. */
const MAX_TIMER_MS = 2_147_483_647;
/** Why calls are cancelled whose callers must not see what comes of them. */

@Injectable()
export class McpServerAdapter implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger(McpServerAdapter.name);
  /** Calls that run, whoever runs them. */
  readonly inFlight = new InFlightCalls();
  /** Calls that have run already, and are only to be answered. */
  private readonly ended = new WeakMap<RequestContext, Invoked>();
  private readonly handler = createMcpHandler((context) => this.server(context), {
    onerror: (error) => this.logger.debug(`The SDK refused or failed: ${error.message}`),
  });
  private readonly nodeHandlers: Readonly<Record<AnswerForm, NodeMcpRequestHandler>> = {
    either: toNodeHandler(toClient(this.handler, 'either')),
    json: toNodeHandler(toClient(this.handler, 'json')),
    events: toNodeHandler(toClient(this.handler, 'events')),
  };
  /** Who waits for changes. */
  private readonly listening = new Map<RequestContext, McpHttpHandler>();
  /** Signs what a tool asks the client to keep for it; the key lives as long as this instance. */
  private readonly stateCodec = createRequestStateCodec<unknown>({
    key: randomBytes(32),
    ttlSeconds: STATE_TTL_SECONDS,
    bind: (context) => stateOwner(requestContextIn(context)),
  });

  constructor(
    private readonly registry: ToolRegistry,
    private readonly invoker: ToolInvoker,
    private readonly policy: PolicyService,
    private readonly revocations: RevocationService,
    private readonly upstreams: UpstreamsService,
  ) {}

  onModuleInit(): void {
    this.policy.onChange((before) => this.notifyListChanged(before));
    this.revocations.onChange((isRevoked) => this.closeRevokedStreams(isRevoked));
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
  async hasValidState(requestContext: RequestContext): Promise<boolean> {
    const { requestState } = messageOf(requestContext).params;
    const context = { http: { authInfo: authOf(requestContext) } } as unknown as ServerContext;
    return this.stateCodec.verify(requestState as string, context).then(
      () => true,
      () => false,
    );
  }

  /**
   * Answers a request that the gate has let through. Resolves when the answer is sent or the client is gone.
   * @throws AppError `token_revoked` where the token went out of force on the way here, which counting and recording
   *   may take seconds of.
   */
  async serve(response: ServerResponse, requestContext: RequestContext): Promise<void> {
    const message = messageOf(requestContext);
    const principal = principalOf(requestContext);
    await this.beforeAnswer(requestContext);
    response.setHeader('cache-control', 'no-store');
    if (message.method === 'notifications/cancelled')
      this.inFlight.cancel(principal, message.params.requestId);
    if (message.method === 'subscriptions/listen') return this.listen(response, requestContext);
    await this.nodeHandlers[message.form ?? 'either'](toSdkRequest(requestContext), response, message.body);
  }

  /**
   * What is left to see to once a request was decided and recorded, whichever way it is answered.
   * @throws AppError `token_revoked` where the token went out of force on the way here, `tool_unknown` where what was
   *   allowed was replaced or withheld.
   */
  beforeAnswer(requestContext: RequestContext): void | Promise<void> {
    const checking = this.revocations.require(principalOf(requestContext));
    if (checking) return checking.then(() => this.recheckTarget(requestContext));
    this.recheckTarget(requestContext);
  }

  private recheckTarget(requestContext: RequestContext): void {
    const { operation } = requestContext;
    if (operation?.kind === 'call' && !this.registry.isCurrent(operation.target))
      throw notFoundError('tool_not_allowed', operation, messageOf(requestContext).era);
    this.discoverForCaller(requestContext);
  }

  /** Upstreams that show their tools to their own callers alone hear of who asks what there is. */
  private discoverForCaller(requestContext: RequestContext): void {
    if (messageOf(requestContext).method !== 'tools/list') return;
    this.upstreams.discoverForCaller({
      principal: principalOf(requestContext),
      token: requestContext.heldToken,
    });
  }

  /** Answers a call that has run already; where its stream is open, on that. */
  async serveEnded(
    response: ServerResponse,
    requestContext: RequestContext,
    invoked: Invoked,
  ): Promise<void> {
    this.ended.set(requestContext, invoked);
    if (!response.headersSent) return this.serve(response, requestContext);
    const parsedBody = messageOf(requestContext).body;
    const asked = await toWebRequest(toSdkRequest(requestContext), parsedBody);
    const answer = await this.handler.fetch(asked, { authInfo: authOf(requestContext), parsedBody });
    response.end(await answer.text());
  }

  /** A stream of its own for each listener: what changes for one caller does not change for another. It ends with its token. */
  private async listen(response: ServerResponse, requestContext: RequestContext): Promise<void> {
    if (this.listening.size >= MAX_LISTENING) {
      throw new AppError('rate_limited', 'Too many open streams', {
        status: 429,
        retryAfterSeconds: STREAM_RETRY_SECONDS,
      });
    }
    const handler = createMcpHandler((context) => this.server(context), { maxSubscriptions: 1 });
    const left = principalOf(requestContext).expiresAt * 1000 - Date.now();
    const end = setTimeout(() => void handler.close(), Math.min(Math.max(left, 0), MAX_TIMER_MS)).unref();
    this.listening.set(requestContext, handler);
    try {
      const answer = toNodeHandler(toClient(handler, 'either'));
      await answer(toSdkRequest(requestContext), response, messageOf(requestContext).body);
    } finally {
      clearTimeout(end);
      this.listening.delete(requestContext);
      await handler.close();
    }
  }

  /** Ends the streams of those whose tokens are out of force, and asks their calls to stop: their answers are kept from them. */
  private closeRevokedStreams(isRevoked: (principal: Principal) => boolean): void {
    for (const [requestContext, handler] of this.listening) {
      if (isRevoked(principalOf(requestContext))) void handler.close();
    }
    this.inFlight.cancelAll(isRevoked, REVOKED);
  }

  private notifyListChanged(before: LoadedPolicy): void {
    for (const [requestContext, { notify }] of this.listening) {
      const changed = this.policy.changedLists(before, principalOf(requestContext), requestContext.ip);
      if (changed.includes('tools')) notify.toolsChanged();
      if (changed.includes('prompts')) notify.promptsChanged();
      if (changed.includes('resources') || changed.includes('resourceTemplates')) notify.resourcesChanged();
    }
  }

  private server({ authInfo }: McpRequestContext): Server {
    const requestContext = requestContextFrom(authInfo?.extra);
    const server = new Server(IMPLEMENTATION, this.options(messageOf(requestContext).era));
    server.setRequestHandler('tools/list', () => ({ tools: this.shown(requestContext) }) as never);
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const invoked =
        this.ended.get(requestContext) ??
        (await this.running(requestContext, context, (call) =>
          this.invoker.callTool(requestContext, call, params.arguments),
        ));
      return (
        invoked.kind === 'failure'
          ? renderToolFailure(invoked.message, requestContext.decisionId)
          : await this.resultOf(invoked, requestContext, context)
      ) as never;
    });
    if (this.hasPrompts()) this.servePrompts(server, requestContext);
    if (this.hasResources()) this.serveResources(server, requestContext);
    return server;
  }

  private servePrompts(server: Server, requestContext: RequestContext): void {
    server.setRequestHandler('prompts/list', () => ({ prompts: this.shown(requestContext) }) as never);
    server.setRequestHandler('prompts/get', ({ params }, context) =>
      this.answer(requestContext, context, (call) =>
        this.invoker.getPrompt(requestContext, call, params.arguments),
      ),
    );
    server.setRequestHandler('completion/complete', ({ params }, context) =>
      this.answer(requestContext, context, (call) =>
        this.invoker.complete(requestContext, call, params.argument),
      ),
    );
  }

  private serveResources(server: Server, requestContext: RequestContext): void {
    server.setRequestHandler('resources/list', () => ({ resources: this.shown(requestContext) }) as never);
    server.setRequestHandler(
      'resources/templates/list',
      () => ({ resourceTemplates: this.shown(requestContext) }) as never,
    );
    server.setRequestHandler('resources/read', ({ params }, context) =>
      this.answer(requestContext, context, (call) =>
        this.invoker.readResource(requestContext, call, params.uri),
      ),
    );
    // Without sessions there is no stream to tell an old client of a change on, and nothing here changes: a valid
    // subscription is acknowledged and stays silent.
    for (const method of ['resources/subscribe', 'resources/unsubscribe'] as const) {
      server.setRequestHandler(method, (_request, context) =>
        this.answer(requestContext, context, (call) => this.invoker.acknowledge(requestContext, call)),
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

  /** What the gate decided, and the audit log has, that this caller sees. */
  private shown({ listing, audited }: RequestContext): (JsonObject | undefined)[] {
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
    requestContext: RequestContext,
    context: ServerContext,
    run: (call: ToolCall) => Promise<Invoked>,
  ): Promise<never> {
    return this.resultOf(await this.running(requestContext, context, run), requestContext, context);
  }

  private async running(
    requestContext: RequestContext,
    context: ServerContext,
    run: (call: ToolCall) => Promise<Invoked>,
  ): Promise<Invoked> {
    const cancellation = new AbortController();
    const message = messageOf(requestContext);
    const done = this.inFlight.add(principalOf(requestContext), message.id, cancellation);
    const signal = AbortSignal.any([context.mcpReq.signal, cancellation.signal]);
    try {
      return await rejectIfRevoked(cancellation.signal, requestContext.decisionId, () =>
        run(toToolCall(requestContext, context, signal)),
      );
    } catch (error) {
      throw error instanceof TokenRevokedError
        ? new ProtocolError(error.code, error.message, error.data)
        : error;
    } finally {
      done();
    }
  }

  private async resultOf(
    invoked: Invoked,
    requestContext: RequestContext,
    context: ServerContext,
  ): Promise<never> {
    if (invoked.kind === 'result') {
      const { era, revision } = messageOf(requestContext);
      return (
        era === 'legacy' && revision !== undefined
          ? adaptToRevision(invoked.result, revision)
          : invoked.result
      ) as never;
    }
    if (invoked.kind === 'inputRequired')
      return (await this.toElicitRequest(invoked.question, requestContext, context)) as never;
    const code = invoked.fault === 'input' ? RpcCode.InvalidParams : RpcCode.InternalError;
    throw new ProtocolError(code, invoked.message);
  }

  private async toElicitRequest(
    question: InputRequired,
    requestContext: RequestContext,
    context: ServerContext,
  ): Promise<unknown> {
    if (messageOf(requestContext).era === 'legacy') {
      throw new ProtocolError(
        RpcCode.InternalError,
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
function toSdkRequest(requestContext: RequestContext): NodeIncomingMessageLike {
  return {
    method: 'POST',
    url: '/',
    headers: headersFor(messageOf(requestContext)),
    auth: authOf(requestContext),
    // The message is handed over as it was parsed: there are no bytes to read.
    async *[Symbol.asyncIterator]() {},
  };
}

/** What the SDK carries along as the caller's identity. */
function authOf(requestContext: RequestContext) {
  const { clientId, scopes, expiresAt } = principalOf(requestContext);
  // The token has done its work: nothing behind the gate ever sees it.
  return { token: 'withheld', clientId, scopes: [...scopes], expiresAt, extra: { requestContext } };
}

function toToolCall(requestContext: RequestContext, context: ServerContext, signal: AbortSignal): ToolCall {
  const { mcpReq } = context;
  const progressToken = mcpReq._meta?.progressToken;
  const envelope = mcpReq.envelope as Record<string, unknown> | undefined;
  return {
    principal: principalOf(requestContext),
    signal,
    decisionId: requestContext.decisionId,
    traceparent: requestContext.trace?.traceparent ?? null,
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
      await mcpReq.notify({ method: 'notifications/progress', params }).catch(ignoreSendError);
    },
    async log(level, data) {
      if (!signal.aborted) await mcpReq.log(level, data).catch(ignoreSendError);
    },
  };
}

/** A tool that does not wait for what it tells must not end the process with it: that cannot be written, or nobody hears it. */
function ignoreSendError(): void {}

/** Sealed state is good for the same principal asking for the same thing, and for nobody and nothing else. */
function stateOwner(requestContext: RequestContext): string {
  const { issuer, subject, clientId } = principalOf(requestContext);
  const { method } = messageOf(requestContext);
  const called = requestContext.operation?.kind === 'call' ? requestContext.operation : undefined;
  return JSON.stringify([issuer, subject, clientId, method, called?.target.name, called?.arguments ?? {}]);
}

function requestContextIn(context: ServerContext | undefined): RequestContext {
  return requestContextFrom(context?.http?.authInfo?.extra);
}

function requestContextFrom(extra: Record<string, unknown> | undefined): RequestContext {
  const requestContext = extra?.requestContext as RequestContext | undefined;
  if (!requestContext) throw new Error('The SDK was reached without a request context');
  return requestContext;
}

function principalOf(requestContext: RequestContext): Principal {
  if (!requestContext.principal) throw new Error('The SDK was reached without a principal');
  return requestContext.principal;
}
