/** Answers allowed requests with the server of the MCP SDK. */
import { toNodeHandler, type NodeMcpRequestHandler } from '@modelcontextprotocol/node';
import {
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  ProtocolError,
  Server,
  type McpRequestContext,
  type ServerContext,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import {
  type BeforeApplicationShutdown,
  Injectable,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { EventLogger } from '../core/event-logger.js';
import type { AnswerForm, AuthorizedRequest, Message } from '../core/request-context.js';
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
import { ChangeStreams } from './change-streams.js';
import { entryOf, recordedListing } from './recorded-listing.js';
import {
  authOf,
  authorizedRequestFrom,
  authorizedRequestIn,
  textOfAnswer,
  toClient,
  toSdkRequest,
} from './sdk-request.js';
import { toToolCall, type CallChannel } from './tool-call.js';
import { adaptToRevision } from './adapt-to-revision.js';
import { InFlightCalls } from './in-flight-calls.js';
import { REVOKED, TokenRevokedError, rejectIfRevoked } from './token-revoked-error.js';
import { RpcCode } from '../core/rpc-code.js';

export const IMPLEMENTATION = { name: PRODUCT_NAME, version: VERSION };
const STATE_TTL_SECONDS = 600;

@Injectable()
export class McpServerAdapter implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new EventLogger(McpServerAdapter.name);
  /** Running calls of both paths. */
  readonly inFlight = new InFlightCalls();
  /** Calls that have already run and only need an answer. */
  private readonly ended = new WeakMap<AuthorizedRequest, Invoked>();
  private readonly handler = createMcpHandler((context) => this.server(context), {
    onerror: (error) => this.logger.write('mcp.sdk_error', `MCP SDK: ${error.message}`),
  });
  private readonly nodeHandlers: Readonly<Record<AnswerForm, NodeMcpRequestHandler>> = {
    either: toNodeHandler(toClient(this.handler, 'either')),
    json: toNodeHandler(toClient(this.handler, 'json')),
    events: toNodeHandler(toClient(this.handler, 'events')),
  };
  private readonly streams = new ChangeStreams((context) => this.server(context));
  /** Signs the request state of tools. The key lives as long as this instance. */
  private readonly stateCodec = createRequestStateCodec<unknown>({
    key: randomBytes(32),
    ttlSeconds: STATE_TTL_SECONDS,
    bind: (context) => stateOwner(authorizedRequestIn(context)),
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

  /** Runs before connections are awaited: listeners must reconnect to another instance. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.streams.close();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.handler.close();
  }

  /** Aborts all running calls. */
  cancelCalls(): void {
    this.inFlight.cancelAll(() => true);
  }

  /** True if the request state was issued to this caller for this call. */
  async hasValidState(requestContext: AuthorizedRequest): Promise<boolean> {
    const { requestState } = requestContext.parsed.message.params;
    const context = { http: { authInfo: authOf(requestContext) } } as unknown as ServerContext;
    return this.stateCodec.verify(requestState as string, context).then(
      () => true,
      () => false,
    );
  }

  /**
   * Answers an allowed request. Resolves when the answer is sent or the client disconnected.
   * @throws AppError `token_revoked` if the token was revoked during rate limiting and recording.
   */
  async serve(response: ServerResponse, requestContext: AuthorizedRequest): Promise<void> {
    const { principal, parsed } = requestContext;
    const { message } = parsed;
    await this.beforeAnswer(requestContext);
    response.setHeader('cache-control', 'no-store');
    if (message.method === 'notifications/cancelled')
      this.inFlight.cancel(principal, message.params.requestId);
    if (message.method === 'subscriptions/listen') return this.streams.serve(response, requestContext);
    await this.nodeHandlers[message.form ?? 'either'](toSdkRequest(requestContext), response, message.body);
  }

  /**
   * Checks after decision and record, on both paths.
   * @throws AppError `token_revoked` if the token was revoked meanwhile, `tool_unknown` if the target was replaced or
   * withheld.
   */
  beforeAnswer(requestContext: AuthorizedRequest): void | Promise<void> {
    const checking = this.revocations.require(requestContext.principal);
    if (checking) return checking.then(() => this.recheckTarget(requestContext));
    this.recheckTarget(requestContext);
  }

  private recheckTarget(requestContext: AuthorizedRequest): void {
    const { operation, parsed } = requestContext;
    if (operation.kind === 'call' && !this.registry.isCurrent(operation.target))
      throw notFoundError('tool_not_allowed', operation, parsed.message.era);
    this.discoverForCaller(requestContext);
  }

  /** Starts the discovery of upstreams that list tools per caller. */
  private discoverForCaller(requestContext: AuthorizedRequest): void {
    const { principal, heldToken, parsed } = requestContext;
    if (parsed.message.method !== 'tools/list') return;
    this.upstreams.discoverForCaller({ principal, token: heldToken });
  }

  /** Answers a finished call, on its stream if that is open. */
  async serveEnded(
    response: ServerResponse,
    requestContext: AuthorizedRequest,
    invoked: Invoked,
  ): Promise<void> {
    this.ended.set(requestContext, invoked);
    if (!response.headersSent) return this.serve(response, requestContext);
    response.end(await textOfAnswer(this.handler, requestContext));
  }

  /** Ends streams and aborts calls of revoked tokens; their results are withheld. */
  private closeRevokedStreams(isRevoked: (principal: Principal) => boolean): void {
    this.streams.closeRevoked(isRevoked);
    this.inFlight.cancelAll(isRevoked, REVOKED);
  }

  private notifyListChanged(before: LoadedPolicy): void {
    this.streams.notify(({ principal, ip }) => this.policy.changedLists(before, principal, ip));
  }

  private server({ authInfo }: McpRequestContext): Server {
    const requestContext = authorizedRequestFrom(authInfo?.extra);
    const server = new Server(IMPLEMENTATION, this.options(requestContext.parsed.message.era));
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

  private servePrompts(server: Server, requestContext: AuthorizedRequest): void {
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

  private serveResources(server: Server, requestContext: AuthorizedRequest): void {
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
    // Without sessions there is no stream for changes, and resources here do not change: a valid subscription is
    // acknowledged.
    for (const method of ['resources/subscribe', 'resources/unsubscribe'] as const) {
      server.setRequestHandler(method, (_request, context) =>
        this.answer(requestContext, context, (call) => this.invoker.acknowledge(requestContext, call)),
      );
    }
  }

  private options(era: Message['era']): ServerOptions {
    const [prompts, resources] = [this.hasPrompts(), this.hasResources()];
    // Older revisions would need the stream of a session.
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

  private shown(requestContext: AuthorizedRequest): (JsonObject | undefined)[] {
    return recordedListing(requestContext).shown.map((target) => entryOf(this.registry, target));
  }

  /** True if a list can change while this server runs. */
  private get changes(): boolean {
    return this.policy.settings.directory !== undefined || this.upstreams.mountsAny;
  }

  private hasPrompts(): boolean {
    return this.registry.list('prompts').length > 0;
  }

  private hasResources(): boolean {
    return this.registry.list('resources').length + this.registry.list('resourceTemplates').length > 0;
  }

  /** Runs the request and answers by its method. */
  private async answer(
    requestContext: AuthorizedRequest,
    context: ServerContext,
    run: (call: ToolCall) => Promise<Invoked>,
  ): Promise<never> {
    return this.resultOf(await this.running(requestContext, context, run), requestContext, context);
  }

  private async running(
    requestContext: AuthorizedRequest,
    context: ServerContext,
    run: (call: ToolCall) => Promise<Invoked>,
  ): Promise<Invoked> {
    const cancellation = new AbortController();
    const { principal, parsed, decisionId } = requestContext;
    const done = this.inFlight.add(principal, parsed.message.id, cancellation);
    const signal = AbortSignal.any([context.mcpReq.signal, cancellation.signal]);
    try {
      return await rejectIfRevoked(cancellation.signal, decisionId, () =>
        run(toToolCall(requestContext, signal, channelOf(context, signal))),
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
    requestContext: AuthorizedRequest,
    context: ServerContext,
  ): Promise<never> {
    if (invoked.kind === 'result') {
      const { era, revision } = requestContext.parsed.message;
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
    requestContext: AuthorizedRequest,
    context: ServerContext,
  ): Promise<unknown> {
    if (requestContext.parsed.message.era === 'legacy') {
      throw new ProtocolError(
        RpcCode.InternalError,
        'This tool requests input, which the protocol revision of the client does not support',
      );
    }
    const { inputRequests, requestState } = question;
    return inputRequired({
      ...(inputRequests && { inputRequests: inputRequests as never }),
      ...(requestState !== undefined && { requestState: await this.stateCodec.mint(requestState, context) }),
    });
  }
}

/** Progress and log messages use the stream of the answer. The SDK verifies request state and input responses. */
function channelOf({ mcpReq }: ServerContext, signal: AbortSignal): CallChannel {
  const progressToken = mcpReq._meta?.progressToken;
  return {
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

/** Ignores errors of notifications that the tool did not await, so that they do not become unhandled rejections. */
function ignoreSendError(): void {}

/** Sealed state is valid for the same principal and request only. */
function stateOwner({ principal, operation, parsed }: AuthorizedRequest): string {
  const { issuer, subject, clientId } = principal;
  const called = operation.kind === 'call' ? operation : undefined;
  const { method } = parsed.message;
  return JSON.stringify([issuer, subject, clientId, method, called?.target.name, called?.arguments ?? {}]);
}
