/** What there is to measure, for Prometheus. No label holds a person, a token, or anything else that came from outside. */
import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { AuditService } from '../../audit/audit.service.js';
import { JwksService } from '../../auth/keys/jwks.service.js';
import { targetLabel } from '../../core/decision.js';
import type { RequestContext, Outcome } from '../../core/request-context.js';
import { VERSION } from '../../lib/version.js';
import { Drain } from '../shutdown/drain.js';
import { SharedDatabaseService } from '../../rate-limiting/shared-database.service.js';
import { PolicyService } from '../../policy/policy.service.js';
import { RevocationService } from '../../revocation/revocation.service.js';
import { ForwardingService } from '../../audit/export/forwarding.service.js';

/** Others are `other`, and what is no message `none`: a caller must not make time series. */
const METHODS = new Set([
  'initialize',
  'notifications/initialized',
  'notifications/cancelled',
  'ping',
  'server/discover',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'logging/setLevel',
]);
/** What administrators and transmitters send is no message of MCP. */
const OTHER_METHODS: Readonly<Record<string, string>> = {
  list: 'admin/list',
  revoke: 'admin/revoke',
  withdraw: 'admin/withdraw',
  signals: 'signals',
};
/** From what the gate alone takes to what tools take, in seconds. */
const STAGE_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5];
const TOOL_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

@Injectable()
export class Metrics {
  private readonly registry = new Registry();
  private readonly requests = this.counter('gate_requests_total', 'Requests answered', ['method', 'status']);
  private readonly decisions = this.counter(
    'gate_decisions_total',
    'Calls, lists and requests decided, by what the record says; reason is empty where it was allowed',
    ['decision', 'reason'],
  );
  private readonly calls = this.counter('gate_calls_total', 'Allowed calls that have ended', [
    'target',
    'status',
  ]);
  private readonly stages = new Histogram({
    name: 'gate_stage_seconds',
    help: 'Time that a request spent in a part of the gate',
    labelNames: ['stage'],
    buckets: STAGE_BUCKETS,
    registers: [this.registry],
  });
  private readonly tools = new Histogram({
    name: 'gate_tool_seconds',
    help: 'Time that allowed calls took, from their record to their end',
    labelNames: ['status'],
    buckets: TOOL_BUCKETS,
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
    gauge('gate_info', 'Always 1', ['version', 'policy'], (to) =>
      to.set({ version: VERSION, policy: policy.current.policy.digest ?? '' }, 1),
    );
    gauge('gate_requests_in_flight', 'Requests that are being answered', [], (to) => to.set(drain.inFlight));
    gauge('gate_draining', '1 from the signal to stop on', [], (to) => to.set(drain.isDraining ? 1 : 0));
    gauge('gate_jwks_age_seconds', 'Since the keys in use were fetched', ['issuer'], (to) => {
      for (const { issuer, loadedAt } of jwks.status()) {
        if (loadedAt !== null) to.set({ issuer }, (Date.now() - loadedAt) / 1000);
      }
    });
    gauge('gate_jwks_usable_keys', 'Keys that can verify tokens', ['issuer'], (to) => {
      for (const { issuer, keys } of jwks.status()) to.set({ issuer }, keys);
    });
    gauge('gate_audit_log_records', 'Number of the last record on the disk', [], (to) =>
      to.set(audit.lastDurableSeq),
    );
    gauge('gate_audit_log_pending_records', 'Records that could not be written yet', [], (to) =>
      to.set(audit.pendingCount),
    );
    gauge('gate_sink_behind_records', 'Records on the disk that a sink does not have', ['sink'], (to) => {
      for (const { name, behind } of forwarding.status()) to.set({ sink: name }, behind);
    });
    gauge('gate_revocations', 'Revocations in force', [], (to) => to.set(revocations.status()?.count ?? 0));
    gauge('gate_revocations_age_seconds', 'Since the list of revocations was last read', [], (to) => {
      const since = revocations.status()?.as_of;
      if (since) to.set((Date.now() - Date.parse(since)) / 1000);
    });
    gauge(
      'gate_rate_limit_store_degraded',
      '1 while limits are not counted together with the other instances',
      [],
      (to) => {
        const status = shared.status();
        if (status) to.set(status.counting === 'alone' ? 1 : 0);
      },
    );
    collectDefaultMetrics({ register: this.registry });
  }

  /** In the text format of Prometheus. */
  async render(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.registry.contentType, text: await this.registry.metrics() };
  }

  observe(requestContext: RequestContext, status: number): void {
    const { parsed, clock, refused, operation, audited, outcome } = requestContext;
    this.requests.inc({
      method: parsed.ok ? methodLabel(parsed.message.method) : 'none',
      status: String(status),
    });
    for (const { stage, from, to } of clock?.laps ?? []) this.stages.observe({ stage }, (to - from) / 1000);
    if (refused) this.decisions.inc({ decision: 'deny', reason: refused });
    else if (audited && operation && operation.kind !== 'protocol')
      this.decisions.inc({ decision: 'allow', reason: '' });
    void outcome?.then((ended) => this.ended(requestContext, ended));
  }

  private ended({ operation }: RequestContext, { status, durationMs }: Outcome): void {
    if (operation?.kind !== 'call') return;
    this.calls.inc({ target: targetLabel(operation.target), status });
    this.tools.observe({ status }, durationMs / 1000);
  }

  private counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}

function methodLabel(method: string): string {
  if (METHODS.has(method)) return method;
  return Object.hasOwn(OTHER_METHODS, method) ? (OTHER_METHODS[method] as string) : 'other';
}
