/** Prometheus metrics. Labels contain no users, tokens or values chosen by callers. */
import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { AuditService } from '../../audit/audit.service.js';
import { JwksService } from '../../auth/keys/jwks.service.js';
import type { RequestContext, Outcome } from '../../core/request-context.js';
import { VERSION } from '../../lib/version.js';
import { errorType, mcpAttributes, operationName } from '../conventions/mcp-attributes.js';
import { Drain } from '../shutdown/drain.js';
import { SharedDatabaseService } from '../../rate-limiting/shared-database.service.js';
import { PolicyService } from '../../policy/policy.service.js';
import { RevocationService } from '../../revocation/revocation.service.js';
import { ForwardingService } from '../../audit/export/forwarding.service.js';

/** Seconds; most stages take less than a millisecond. */
const STAGE_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5];
/** Seconds, from the OpenTelemetry convention. */
const OPERATION_BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

@Injectable()
export class Metrics {
  private readonly registry = new Registry();
  private readonly requests = this.counter('gate_requests_total', 'HTTP requests answered', [
    'method',
    'status',
  ]);
  private readonly decisions = this.counter(
    'gate_decisions_total',
    'Decisions on calls, lists and requests as recorded; reason is empty for an allowed one',
    ['decision', 'reason'],
  );
  private readonly stages = new Histogram({
    name: 'gate_stage_seconds',
    help: 'Duration of one stage of a request',
    labelNames: ['stage'],
    buckets: STAGE_BUCKETS,
    registers: [this.registry],
  });
  /** `mcp.server.operation.duration`, named by the OpenTelemetry specification for Prometheus. */
  private readonly operations = new Histogram({
    name: 'mcp_server_operation_duration_seconds',
    help: 'Duration of an MCP request or notification from its receipt until its result is sent',
    labelNames: [
      'mcp_method_name',
      'gen_ai_tool_name',
      'gen_ai_prompt_name',
      'mcp_protocol_version',
      'error_type',
    ],
    buckets: OPERATION_BUCKETS,
    registers: [this.registry],
  });

  constructor(
    policy: PolicyService,
    drain: Drain,
    audit: AuditService,
    jwks: JwksService,
    forwarding: ForwardingService,
    revocations: RevocationService,
    shared: SharedDatabaseService,
  ) {
    const gauge = <L extends string>(
      name: string,
      help: string,
      labelNames: L[],
      collect: (to: Gauge<L>) => void,
    ) =>
      new Gauge({
        name,
        help,
        labelNames,
        registers: [this.registry],
        collect() {
          this.reset();
          collect(this);
        },
      });
    gauge(
      'gate_info',
      'Version of this server and digest of its policy; always 1',
      ['version', 'policy'],
      (to) => to.set({ version: VERSION, policy: policy.current.policy.digest ?? '' }, 1),
    );
    gauge('gate_requests_in_flight', 'HTTP requests in progress', [], (to) => to.set(drain.inFlight));
    gauge('gate_draining', '1 while the server is shutting down', [], (to) =>
      to.set(drain.isDraining ? 1 : 0),
    );
    gauge('gate_jwks_age_seconds', 'Age of the signing keys in use', ['issuer'], (to) => {
      for (const { issuer, loadedAt } of jwks.status()) {
        if (loadedAt !== null) to.set({ issuer }, (Date.now() - loadedAt) / 1000);
      }
    });
    gauge('gate_jwks_usable_keys', 'Signing keys that can verify tokens', ['issuer'], (to) => {
      for (const { issuer, keys } of jwks.status()) to.set({ issuer }, keys);
    });
    gauge('gate_audit_log_records', 'Number of the last durable record of the audit log', [], (to) =>
      to.set(audit.lastDurableSeq),
    );
    gauge('gate_audit_log_pending_records', 'Audit records that wait to be written', [], (to) =>
      to.set(audit.pendingCount),
    );
    gauge('gate_sink_behind_records', 'Audit records that a sink has not received yet', ['sink'], (to) => {
      for (const { name, behind } of forwarding.status()) to.set({ sink: name }, behind);
    });
    gauge('gate_revocations', 'Revocations in force', [], (to) => to.set(revocations.status()?.count ?? 0));
    gauge('gate_revocations_age_seconds', 'Age of the revocation list', [], (to) => {
      const since = revocations.status()?.as_of;
      if (since) to.set((Date.now() - Date.parse(since)) / 1000);
    });
    gauge(
      'gate_rate_limit_store_degraded',
      '1 while this instance counts rate limits without the shared database',
      [],
      (to) => {
        const status = shared.status();
        if (status) to.set(status.state === 'degraded' ? 1 : 0);
      },
    );
    collectDefaultMetrics({ register: this.registry });
  }

  /** Prometheus text format. */
  async render(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.registry.contentType, text: await this.registry.metrics() };
  }

  observe(requestContext: RequestContext, status: number): void {
    const { clock, refused, operation, audited, outcome } = requestContext;
    this.requests.inc({ method: operationName(requestContext) ?? 'none', status: String(status) });
    for (const { stage, from, to } of clock?.laps ?? []) this.stages.observe({ stage }, (to - from) / 1000);
    if (refused) this.decisions.inc({ decision: 'deny', reason: refused });
    else if (audited && operation && operation.kind !== 'protocol')
      this.decisions.inc({ decision: 'allow', reason: '' });
    if (!outcome) return this.ended(requestContext, status, undefined);
    void outcome.then((how) => this.ended(requestContext, status, how));
  }

  private ended(requestContext: RequestContext, status: number, outcome: Outcome | undefined): void {
    const attributes = mcpAttributes(requestContext);
    if (!attributes || !requestContext.clock) return;
    const labels = toLabels({ ...attributes, 'error.type': errorType(requestContext, status, outcome) });
    this.operations.observe(labels, (performance.now() - requestContext.clock.started) / 1000);
  }

  private counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}

/** Attributes as labels: dots become underscores; absent attributes are absent labels. */
function toLabels(attributes: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const present = Object.entries(attributes).filter((one): one is [string, string] => one[1] !== undefined);
  return Object.fromEntries(present.map(([name, value]) => [name.replaceAll('.', '_'), value]));
}
