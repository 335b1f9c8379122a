/**
 * The way of what agents ask most, past Express, Nest's pipeline and the SDK: `tools/call` and `tools/list` that want
 * one answer and nothing before it. The same steps in the same order, the same record, the same refusals; the answers are
 * those of the SDK, to the byte, and a test holds the two ways together. Whatever this does not know takes the other way.
 */
import { Inject, Injectable, type OnApplicationBootstrap, type Type } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { Express, Request } from 'express';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PinoLogger } from 'nestjs-pino';
import { AuditInterceptor } from '../../audit/audit.interceptor.js';
import { messageOf, type Exchange, type GateRequest, type JsonObject } from '../../core/request-context.js';
import { LazyPassage, senderSeen, type GateStep, type Passage } from '../../core/pipeline-context.js';
import type { Principal } from '../../core/principal.js';
import { LogContext } from '../../http/log-context.js';
import { nameRequest } from '../../http/request-logging.js';
import type { Settings } from '../../config/settings.js';
import { ToolRegistry } from '../../tools/registry.js';
import type { ToolCall } from '../../tools/tool-call.js';
import { ToolInvoker, type Invoked } from '../../tools/tool-invoker.js';
import { ErrorFilter } from '../../http/error.filter.js';
import { Front } from '../request-context.factory.js';
import { LateStream } from './deferred-sse-response.js';
import { ListTexts } from './serialized-list-cache.js';
import { PlainAnswers } from './fast-path-serializer.js';
import { isPlain } from './eligibility.js';
import { toOriginForm } from '../../http/request-target.js';
import { SdkBridge, SERVER_INFO } from '../mcp-server-adapter.js';
import { unlessWithheld, Withheld } from '../token-revoked-error.js';

/** Injection token of what every request of the endpoint passes, in order. */
export const GATE_STEPS = Symbol('GateSteps');
/** Injection token of the modules whose middlewares the short way stands for. */
export const OWN_MIDDLEWARES = Symbol('OwnMiddlewares');

const CLIENT_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

type Incoming = IncomingMessage & GateRequest & { id?: unknown };

interface Surroundings {
  readonly express: Express;
  /** The request as Express sees it. */
  readonly seen: Request;
  readonly protect: (response: ServerResponse) => void;
}
export type Take = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

@Injectable()
export class ShortWay implements OnApplicationBootstrap {
  private readonly path: string;
  private isOpen = false;
  private readonly answers = new PlainAnswers(SERVER_INFO);
  private readonly lists = new ListTexts();

  constructor(
    config: ConfigService<Settings, true>,
    private readonly front: Front,
    @Inject(GATE_STEPS) private readonly steps: readonly GateStep[],
    private readonly audit: AuditInterceptor,
    private readonly errors: ErrorFilter,
    private readonly bridge: SdkBridge,
    private readonly invoker: ToolInvoker,
    private readonly registry: ToolRegistry,
    private readonly logger: PinoLogger,
    private readonly logContext: LogContext,
    private readonly application: ApplicationConfig,
    private readonly modules: ModulesContainer,
    @Inject(OWN_MIDDLEWARES) private readonly own: readonly Type[],
  ) {
    this.path = config.get('server', { infer: true }).mcpPath;
  }

  /** Whatever somebody has put into Nest's pipeline must see every request: then there is no short way. */
  onApplicationBootstrap(): void {
    const { application, modules } = this;
    const foreign = [...modules.values()].filter(
      ({ instance, metatype }) => 'configure' in (instance as object) && !this.own.includes(metatype),
    );
    this.isOpen =
      foreign.length === 0 &&
      isSame(application.getGlobalGuards(), this.steps) &&
      isSame(application.getGlobalInterceptors(), [this.audit]) &&
      isSame(application.getGlobalFilters(), [this.errors]) &&
      application.getGlobalPipes().length === 0 &&
      [
        application.getGlobalRequestGuards(),
        application.getGlobalRequestInterceptors(),
        application.getGlobalRequestFilters(),
        application.getGlobalRequestPipes(),
      ].every((each) => each.length === 0);
  }

  /**
   * @param express what answers everything else.
   * @param protect sets the headers that every answer has.
   */
  inFrontOf(express: Express, protect: (response: ServerResponse) => void): Take {
    const seenBy = gettersOf(express);
    return (request, response) => {
      toOriginForm(request);
      if (!this.isOpen || request.method !== 'POST' || request.url !== this.path)
        return express(request as Request, response as never);
      return this.take(request, response, { express, seen: seenBy(request), protect });
    };
  }

  private async take(
    request: Incoming,
    response: ServerResponse,
    { express, seen, protect }: Surroundings,
  ): Promise<void> {
    const requestId = nameRequest(request, response);
    request.id = requestId;
    const exchange = await this.front.receive(request, response, { requestId, ip: senderSeen(seen).ip });
    request.exchange = exchange;
    if (!exchange.inbound.ok || !isPlain(exchange.inbound.message)) {
      return express(request as Request, response as never);
    }
    protect(response);
    this.logEnd(request, response);
    await this.serve(new LazyPassage(exchange, request, response, this.path, seen));
  }

  /** As pino-http does it. */
  private logEnd(request: Incoming, response: ServerResponse): void {
    const { logger } = this.logger;
    if (!logger.isLevelEnabled('info')) return;
    const started = Date.now();
    response.once('close', () => {
      const isWhole = !request.readableAborted && response.writableEnded;
      const about = { req: request, res: response, responseTime: Date.now() - started };
      if (response.statusCode >= 500) {
        const err = new Error(`failed with status code ${response.statusCode}`);
        logger.info({ ...about, err }, 'request errored');
      } else {
        logger.info(about, isWhole ? 'request completed' : 'request aborted');
      }
    });
  }

  private async serve(passage: Passage): Promise<void> {
    const { exchange, response } = passage;
    try {
      for (const step of this.steps) {
        // Most know at once: only what has to be waited for is.
        const passing = step.pass(passage);
        if (passing) await passing;
      }
      await this.audit.begin(exchange);
      await this.ended(passage);
    } catch (error) {
      // As on the other way, where every line of a request says which it is.
      await this.logContext.run(passage.request, () => this.errors.answer(error, exchange, response));
    }
  }

  /** As the interceptor does it on the other way. */
  private async ended(passage: Passage): Promise<void> {
    try {
      await this.answer(passage);
    } catch (error) {
      this.audit.finish(passage.exchange, error);
      throw error;
    }
    this.audit.finish(passage.exchange);
  }

  private async answer(passage: Passage): Promise<void> {
    const { exchange, response } = passage;
    const message = messageOf(exchange);
    const before = this.bridge.beforeAnswer(exchange);
    if (before) await before;
    if (message.method === 'tools/list') {
      return send(response, this.answers.list(message, this.shown(exchange)));
    }
    // Who has gone before it began wants nothing any more; older revisions do not take that for a cancellation.
    if (response.destroyed && message.era === 'modern') return;
    const mayStream = message.era === 'legacy' && message.form !== 'json';
    const stream = mayStream ? new LateStream(response) : undefined;
    let text: string | undefined;
    let invoked: Invoked | undefined;
    try {
      invoked = await this.call(passage, stream);
      text = this.answers.call(message, invoked, exchange.decisionId);
    } catch (error) {
      if (!(error instanceof Withheld)) throw error;
      text = this.answers.withheld(message, error);
    } finally {
      stream?.pause();
    }
    if (response.destroyed) return;
    if (text === undefined) return this.bridge.serveEnded(response, exchange, invoked as Invoked);
    if (!stream?.end(text)) send(response, text);
  }

  private async call(
    { exchange, request, response }: Passage,
    stream: LateStream | undefined,
  ): Promise<Invoked> {
    const { id, params } = messageOf(exchange);
    const principal = exchange.principal as Principal;
    const cancellation = new AbortController();
    const leave = () => cancellation.abort();
    response.once('close', leave);
    const done = this.bridge.inFlight.add(principal, id, cancellation);
    try {
      const call = toToolCall(exchange, principal, cancellation.signal, stream);
      return await unlessWithheld(cancellation.signal, exchange.decisionId, () =>
        this.logContext.run(request, () => this.invoker.callTool(exchange, call, params.arguments)),
      );
    } finally {
      done();
      response.off('close', leave);
    }
  }

  /** What the gate decided, and the ledger has, that this caller sees. */
  private shown({ listing, audited }: Exchange): string {
    if (!listing || !audited) throw new Error('A list was to be shown before it was decided and recorded');
    return this.lists.of(listing, ({ kind, name }) => this.registry.find(kind, name)?.entry);
  }
}

function toToolCall(
  { decisionId, trace, inbound }: Exchange,
  principal: Principal,
  signal: AbortSignal,
  stream: LateStream | undefined,
): ToolCall {
  const message = inbound.ok ? inbound.message : undefined;
  const meta = message?.params._meta as JsonObject | undefined;
  const isModern = message?.era === 'modern';
  return {
    principal,
    signal,
    decisionId,
    traceparent: trace?.traceparent ?? null,
    clientCapabilities: (isModern ? (meta?.[CLIENT_CAPABILITIES] ?? {}) : {}) as JsonObject,
    inputResponses: {},
    requestState: undefined,
    // Who asks to be told how far it is takes the other way.
    async progress() {},
    async log(level, data) {
      if (signal.aborted) return;
      stream?.tell({ jsonrpc: '2.0', method: 'notifications/message', params: { level, data } });
    },
  };
}

function isSame(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((one, at) => one === others[at]);
}

function send(response: ServerResponse, text: string): void {
  response.setHeader('cache-control', 'no-store');
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

/** A request as Express's own getters see it, so that `TRUST_PROXY` means the same on both ways. */
function gettersOf({ request: prototype }: Express): (request: IncomingMessage) => Request {
  class Seen {
    constructor(
      readonly headers: IncomingMessage['headers'],
      readonly socket: IncomingMessage['socket'],
    ) {}
  }
  Object.setPrototypeOf(Seen.prototype, prototype);
  return ({ headers, socket }) => new Seen(headers, socket) as unknown as Request;
}
