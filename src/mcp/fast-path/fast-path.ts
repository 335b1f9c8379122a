/**
 * Answers `tools/call` and `tools/list` without Express, the Nest pipeline and the SDK, if one answer is expected.
 * Steps, order, records and denials equal those of the pipeline, and answers equal those of the SDK byte by byte; a
 * parity test compares both. Other requests take the pipeline.
 */
import { Inject, Injectable, type OnApplicationBootstrap, type Type } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { Express, Request } from 'express';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { EventLogger } from '../../core/event-logger.js';
import { AuditInterceptor } from '../../audit/audit.interceptor.js';
import { requireAuthorized, type AuthorizedRequest, type GateRequest } from '../../core/request-context.js';
import {
  LazyPipelineContext,
  senderSeen,
  type PipelineStep,
  type PipelineContext,
} from '../../core/pipeline-context.js';
import { LogContext } from '../../http/log-context.js';
import type { RequestHandler } from '../../http/request-listener.js';
import type { Settings } from '../../config/settings.js';
import { ToolRegistry } from '../../tools/tool-registry.js';
import { ToolInvoker, type Invoked } from '../../tools/tool-invoker.js';
import { ErrorFilter } from '../../http/error.filter.js';
import { RequestContextFactory } from '../../http/request-context.factory.js';
import { messageFacts, readRequest } from '../read-request.js';
import { entryOf, recordedListing } from '../recorded-listing.js';
import { toToolCall, type CallChannel } from '../tool-call.js';
import { DeferredSseResponse } from './deferred-sse-response.js';
import { SerializedListCache } from './serialized-list-cache.js';
import { FastPathSerializer } from './fast-path-serializer.js';
import { FastPathStatus } from './fast-path-status.js';
import { ApplicationMiddleware, globalEnhancers, moduleMiddleware } from './fast-path-blockers.js';
import { isFastPathEligible } from './eligible-message.js';
import { McpServerAdapter, IMPLEMENTATION } from '../mcp-server-adapter.js';
import { rejectIfRevoked, TokenRevokedError } from '../token-revoked-error.js';

/** Injection token of the pipeline steps, in order. */
export const REQUEST_PIPELINE = Symbol('RequestPipeline');
/** Injection token of the modules whose middleware the fast path includes. */
export const BUILTIN_MIDDLEWARE = Symbol('BuiltinMiddleware');

type Incoming = IncomingMessage & GateRequest;

@Injectable()
export class FastPath implements OnApplicationBootstrap {
  private readonly logger = new EventLogger('FastPath');
  private readonly path: string;
  private readonly isEnabled: boolean;
  private middleware: ApplicationMiddleware | undefined;
  private readonly answers = new FastPathSerializer(IMPLEMENTATION);
  private readonly lists = new SerializedListCache();

  constructor(
    config: ConfigService<Settings, true>,
    private readonly status: FastPathStatus,
    private readonly contexts: RequestContextFactory,
    @Inject(REQUEST_PIPELINE) private readonly steps: readonly PipelineStep[],
    private readonly audit: AuditInterceptor,
    private readonly errors: ErrorFilter,
    private readonly adapter: McpServerAdapter,
    private readonly invoker: ToolInvoker,
    private readonly registry: ToolRegistry,
    private readonly logContext: LogContext,
    private readonly application: ApplicationConfig,
    private readonly modules: ModulesContainer,
    @Inject(BUILTIN_MIDDLEWARE) private readonly builtinMiddleware: readonly Type[],
  ) {
    const { mcpPath, fastPath } = config.get('server', { infer: true });
    this.path = mcpPath;
    this.isEnabled = fastPath === 'auto';
  }

  /**
   * Handler that answers eligible requests and passes others on. Must be called before `nest.init()`.
   * @param server the state is evaluated again, and logged, when it starts to listen.
   */
  wrap(server: Server, express: Express, middleware: ApplicationMiddleware): RequestHandler {
    middleware.beforeInit();
    this.middleware = middleware;
    server.once('listening', () => {
      this.decide();
      const event = this.status.isOn ? 'fast_path.enabled' : 'fast_path.disabled';
      this.logger.write(event, this.status.line());
    });
    const createRequestView = requestGettersOf(express);
    return (request, response) => {
      if (!this.status.isOn || request.method !== 'POST' || request.url !== this.path)
        return express(request as Request, response as never);
      return this.take(request, response, express, createRequestView(request));
    };
  }

  onApplicationBootstrap(): void {
    this.middleware?.afterInit();
    this.decide();
  }

  private decide(): void {
    const own = { guards: this.steps, interceptors: [this.audit], filters: [this.errors] };
    this.status.decide(this.isEnabled, [
      ...globalEnhancers(this.application, own),
      ...moduleMiddleware(this.modules, this.builtinMiddleware),
      ...(this.middleware?.extensions() ?? []),
    ]);
  }

  /** @param seen the request as Express presents it. */
  private async take(
    request: Incoming,
    response: ServerResponse,
    express: Express,
    seen: Request,
  ): Promise<void> {
    const parsed = await readRequest(request);
    const { ip } = senderSeen(seen);
    const requestContext = this.contexts.create(request, response, ip, parsed, messageFacts(parsed));
    request.requestContext = requestContext;
    if (!parsed.ok || !isFastPathEligible(parsed.message)) {
      return express(request as Request, response as never);
    }
    await this.serve(new LazyPipelineContext(requestContext, request, response, this.path, seen));
  }

  private async serve(pipelineContext: PipelineContext): Promise<void> {
    const { requestContext, response } = pipelineContext;
    try {
      for (const step of this.steps) {
        // Most steps are synchronous; only promises are awaited.
        const passing = step.handle(pipelineContext);
        if (passing) await passing;
      }
      await this.audit.begin(requestContext);
      await this.withOutcome(pipelineContext, requireAuthorized(requestContext));
    } catch (error) {
      // Log lines of the request carry its id, as in the pipeline.
      await this.logContext.run(pipelineContext.request, () =>
        this.errors.answer(error, requestContext, response),
      );
    }
  }

  /** Equals the audit interceptor of the pipeline. */
  private async withOutcome(
    pipelineContext: PipelineContext,
    requestContext: AuthorizedRequest,
  ): Promise<void> {
    try {
      await this.answer(pipelineContext, requestContext);
    } catch (error) {
      this.audit.finish(requestContext, error);
      throw error;
    }
    this.audit.finish(requestContext);
  }

  private async answer(
    { request, response }: PipelineContext,
    requestContext: AuthorizedRequest,
  ): Promise<void> {
    const { message } = requestContext.parsed;
    const before = this.adapter.beforeAnswer(requestContext);
    if (before) await before;
    if (message.method === 'tools/list') {
      const { registry } = this;
      const entries = this.lists.of(recordedListing(requestContext), (target) => entryOf(registry, target));
      return send(response, this.answers.list(message, entries));
    }
    // A client that disconnected before the start needs no call. In older revisions a disconnect is not a
    // cancellation.
    if (response.destroyed && message.era === 'modern') return;
    const mayStream = message.era === 'legacy' && message.form !== 'json';
    const stream = mayStream ? new DeferredSseResponse(response) : undefined;
    let text: string | undefined;
    let invoked: Invoked | undefined;
    try {
      invoked = await this.call(requestContext, request, response, stream);
      text = this.answers.call(message, invoked, requestContext.decisionId);
    } catch (error) {
      if (!(error instanceof TokenRevokedError)) throw error;
      text = this.answers.withheld(message, error);
    } finally {
      stream?.pause();
    }
    if (response.destroyed) return;
    if (text === undefined) return this.adapter.serveEnded(response, requestContext, invoked as Invoked);
    if (!stream?.end(text)) send(response, text);
  }

  private async call(
    requestContext: AuthorizedRequest,
    request: IncomingMessage,
    response: ServerResponse,
    stream: DeferredSseResponse | undefined,
  ): Promise<Invoked> {
    const { principal } = requestContext;
    const { id, params } = requestContext.parsed.message;
    const cancellation = new AbortController();
    const leave = () => cancellation.abort();
    response.once('close', leave);
    const done = this.adapter.inFlight.add(principal, id, cancellation);
    try {
      const { signal } = cancellation;
      const call = toToolCall(requestContext, signal, channelOf(signal, stream));
      return await rejectIfRevoked(signal, requestContext.decisionId, () =>
        this.logContext.run(request, () => this.invoker.callTool(requestContext, call, params.arguments)),
      );
    } finally {
      done();
      response.off('close', leave);
    }
  }
}

/** Requests with progress, request state or input responses are not eligible. */
function channelOf(signal: AbortSignal, stream: DeferredSseResponse | undefined): CallChannel {
  return {
    inputResponses: {},
    requestState: undefined,
    async progress() {},
    async log(level, data) {
      if (signal.aborted) return;
      stream?.notify({ jsonrpc: '2.0', method: 'notifications/message', params: { level, data } });
    },
  };
}

function send(response: ServerResponse, text: string): void {
  response.setHeader('cache-control', 'no-store');
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

/** Express getters on a plain request, so that `TRUST_PROXY` has the same effect on both paths. */
function requestGettersOf({ request: prototype }: Express): (request: IncomingMessage) => Request {
  class ExpressRequestView {
    constructor(
      readonly headers: IncomingMessage['headers'],
      readonly socket: IncomingMessage['socket'],
    ) {}
  }
  Object.setPrototypeOf(ExpressRequestView.prototype, prototype);
  return ({ headers, socket }) => new ExpressRequestView(headers, socket) as unknown as Request;
}
