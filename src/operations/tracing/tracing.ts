/** One span per request with a child per stage, exported by OTLP over HTTP. */
import type { Attributes, Span, Tracer, TraceState } from '@opentelemetry/api';
import type { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import type { RequestContext, Outcome, Trace } from '../../core/request-context.js';
import { PRODUCT_NAME, VERSION } from '../../lib/version.js';
import { withTimeout } from '../../lib/with-timeout.js';
import type { OutboundSettings, TracingSettings } from '../../config/settings.js';
import { agentFor } from '../../http/outbound/outbound.js';
import { errorType, mcpAttributes, operationName } from '../conventions/mcp-attributes.js';

type Api = typeof import('@opentelemetry/api');

const FLUSH_MS = 3_000;
/** Buffer for an unavailable collector; further spans are dropped. */
const MAX_WAITING = 2_048;
const TIMEOUT_MS = 5_000;
/** Span name of a request without a message. */
const UNREADABLE = 'request';
/** Maximum length of a JSON-RPC id, which the caller chooses. */
const MAX_ID = 100;

export class Tracing {
  private readonly spans = new WeakMap<Trace, Span>();

  private constructor(
    private readonly api: Api,
    private readonly provider: BasicTracerProvider,
    private readonly tracer: Tracer,
  ) {}

  /** Loads the packages of OpenTelemetry only with tracing. */
  static async start(
    { endpoint, headers, ratio, serviceName }: TracingSettings,
    outbound: OutboundSettings | undefined,
  ): Promise<Tracing> {
    const [api, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
    const exporter = new OTLPTraceExporter({
      url: endpoint,
      headers: { ...headers },
      timeoutMillis: TIMEOUT_MS,
      // The default agent of the exporter ignores proxies.
      httpAgentOptions: () => agentFor(outbound, endpoint, { keepAlive: true }),
    });
    const provider = new sdk.BasicTracerProvider({
      resource: resourceFromAttributes({ 'service.name': serviceName, 'service.version': VERSION }),
      // The sampling flag of the caller has no effect.
      sampler: new sdk.TraceIdRatioBasedSampler(ratio),
      spanProcessors: [
        new sdk.BatchSpanProcessor(exporter, { maxQueueSize: MAX_WAITING, exportTimeoutMillis: TIMEOUT_MS }),
      ],
    });
    return new Tracing(api, provider, provider.getTracer(PRODUCT_NAME, VERSION));
  }

  begin(incoming: Trace | undefined): Trace {
    const { ROOT_CONTEXT, SpanKind, trace: traces } = this.api;
    const parent = incoming && traces.setSpanContext(ROOT_CONTEXT, contextOf(incoming));
    const span = this.tracer.startSpan(UNREADABLE, { kind: SpanKind.SERVER }, parent ?? ROOT_CONTEXT);
    const { traceId, spanId, traceFlags } = span.spanContext();
    const flags = traceFlags.toString(16).padStart(2, '0');
    const trace: Trace = { id: traceId, traceparent: `00-${traceId}-${spanId}-${flags}` };
    this.spans.set(trace, span);
    return trace;
  }

  end(requestContext: RequestContext, status: number): void {
    const span = requestContext.trace && this.spans.get(requestContext.trace);
    if (!span) return;
    const context = this.api.trace.setSpan(this.api.ROOT_CONTEXT, span);
    const { clock, outcome } = requestContext;
    for (const { stage, from, to } of clock?.laps ?? []) {
      this.tracer.startSpan(stage, { startTime: wall(from) }, context).end(wall(to));
    }
    span.updateName(spanName(requestContext));
    span.setAttributes({
      ...spanAttributes(requestContext),
      'http.response.status_code': status,
      'gate.decision.id': requestContext.decisionId,
    });
    const ended = Date.now();
    const end = (how: Outcome | undefined, at: number) => {
      const error = errorType(requestContext, status, how);
      if (error !== undefined) {
        span.setAttribute('error.type', error);
        span.setStatus({ code: this.api.SpanStatusCode.ERROR });
      }
      span.end(at);
    };
    if (!outcome) return end(undefined, ended);
    void outcome.then((how) => {
      this.toolSpan(requestContext, how, context);
      span.setAttribute('gate.outcome', how.status);
      end(how, Math.max(ended, Date.now()));
    });
  }

  /** Exports remaining spans within a time limit. */
  async stop(): Promise<void> {
    await withTimeout(
      this.provider.shutdown().catch(() => undefined),
      FLUSH_MS,
    );
  }

  private toolSpan(
    { clock }: RequestContext,
    { durationMs, status }: Outcome,
    context: ReturnType<Api['trace']['setSpan']>,
  ): void {
    const recorded = clock?.laps.findLast(({ stage }) => stage === 'record')?.to;
    if (recorded === undefined) return;
    const span = this.tracer.startSpan('tool', { startTime: wall(recorded) }, context);
    span.setAttribute('gate.outcome', status);
    span.end(wall(recorded + durationMs));
  }
}

/** `tools/call NAME`, `prompts/get NAME`, or the operation for an unregistered target. */
function spanName(requestContext: RequestContext): string {
  const attributes = mcpAttributes(requestContext);
  const target = attributes?.['gen_ai.tool.name'] ?? attributes?.['gen_ai.prompt.name'];
  const operation = operationName(requestContext) ?? UNREADABLE;
  return target === undefined ? operation : `${operation} ${target}`;
}

/** Omits `mcp.resource.uri` and `client.address` of the convention, which may contain personal data. */
function spanAttributes(requestContext: RequestContext): Attributes {
  const { id } = requestContext.parsed;
  const attributes = mcpAttributes(requestContext);
  return {
    ...attributes,
    ...(attributes && id !== null && { 'jsonrpc.request.id': String(id).slice(0, MAX_ID) }),
    ...(attributes?.['gen_ai.tool.name'] !== undefined && { 'gen_ai.operation.name': 'execute_tool' }),
  };
}

function contextOf({ traceparent }: Trace): {
  traceId: string;
  spanId: string;
  traceFlags: number;
  isRemote: true;
  traceState?: TraceState;
} {
  const [, traceId = '', spanId = '', flags = '0'] = traceparent.split('-');
  return { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true };
}

function wall(monotonic: number): number {
  return performance.timeOrigin + monotonic;
}
