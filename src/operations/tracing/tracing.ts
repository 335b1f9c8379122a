/** One span for each request, with one for each part of the gate in it, told to an OpenTelemetry collector (OTLP over HTTP). */
import type { Span, Tracer, TraceState } from '@opentelemetry/api';
import type { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { targetLabel } from '../../core/decision.js';
import type { RequestContext, Outcome, Trace } from '../../core/request-context.js';
import { VERSION } from '../../lib/version.js';
import { withTimeout } from '../../lib/with-timeout.js';
import type { OutboundSettings, TracingSettings } from '../../config/settings.js';
import { agentFor } from '../../http/outbound/outbound.js';

type Api = typeof import('@opentelemetry/api');

const FLUSH_MS = 3_000;
/** Spans that wait for a collector that does not answer; what is beyond is dropped. */
const MAX_WAITING = 2_048;
const TIMEOUT_MS = 5_000;

export class Tracing {
  private readonly spans = new WeakMap<Trace, Span>();

  private constructor(
    private readonly api: Api,
    private readonly provider: BasicTracerProvider,
    private readonly tracer: Tracer,
  ) {}

  /** The packages are loaded here and nowhere else: who does not trace does not pay for them. */
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
      // The exporter's own agent would know no proxy.
      httpAgentOptions: () => agentFor(outbound, endpoint, { keepAlive: true }),
    });
    const provider = new sdk.BasicTracerProvider({
      resource: resourceFromAttributes({ 'service.name': serviceName, 'service.version': VERSION }),
      // Whether the caller's own trace is sampled is the caller's word, and decides nothing here.
      sampler: new sdk.TraceIdRatioBasedSampler(ratio),
      spanProcessors: [
        new sdk.BatchSpanProcessor(exporter, { maxQueueSize: MAX_WAITING, exportTimeoutMillis: TIMEOUT_MS }),
      ],
    });
    return new Tracing(api, provider, provider.getTracer('identity-aware-mcp-server', VERSION));
  }

  begin(incoming: Trace | undefined): Trace {
    const { ROOT_CONTEXT, SpanKind, trace: traces } = this.api;
    const parent = incoming && traces.setSpanContext(ROOT_CONTEXT, contextOf(incoming));
    const span = this.tracer.startSpan('request', { kind: SpanKind.SERVER }, parent ?? ROOT_CONTEXT);
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
    const { clock, outcome, parsed, operation, refused } = requestContext;
    for (const { stage, from, to } of clock?.laps ?? []) {
      this.tracer.startSpan(stage, { startTime: wall(from) }, context).end(wall(to));
    }
    const method = parsed.ok ? parsed.message.method : 'unreadable';
    // What does not exist has a name that the caller made up.
    const isKnown =
      operation?.kind === 'call' && refused !== 'tool_unknown' && requestContext.decision !== undefined;
    const target = isKnown && operation?.kind === 'call' ? operation.target : undefined;
    span.updateName(target ? `${method} ${targetLabel(target)}` : method);
    span.setAttributes({
      'mcp.method.name': method,
      'http.response.status_code': status,
      'gate.decision.id': requestContext.decisionId,
      ...(target?.kind === 'tool' && {
        'gen_ai.tool.name': target.name,
        'gen_ai.operation.name': 'execute_tool',
      }),
      ...(target?.kind === 'prompt' && { 'gen_ai.prompt.name': target.name }),
      ...(refused && { 'error.type': refused }),
    });
    if (status >= 500) span.setStatus({ code: this.api.SpanStatusCode.ERROR });
    const ended = Date.now();
    if (!outcome) return span.end(ended);
    void outcome.then((how) => {
      this.toolSpan(requestContext, how, context);
      if (how.status === 'failed') span.setStatus({ code: this.api.SpanStatusCode.ERROR });
      span.setAttribute('gate.outcome', how.status);
      span.end(Math.max(ended, Date.now()));
    });
  }

  /** What is still here is told, for as long as that is worth waiting for. */
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
