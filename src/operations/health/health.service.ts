/** Readiness of this process and its components, for probes. */
import { Injectable } from '@nestjs/common';
import { AuditService } from '../../audit/audit.service.js';
import { IntrospectionService } from '../../auth/introspection/introspection.service.js';
import { JwksService, type IssuerKeys } from '../../auth/keys/jwks.service.js';
import { SharedDatabaseService } from '../../rate-limiting/shared-database.service.js';
import { PolicyService } from '../../policy/policy.service.js';
import { Drain } from '../shutdown/drain.js';
import { RevocationService } from '../../revocation/revocation.service.js';
import { ForwardingService } from '../../audit/export/forwarding.service.js';
import { Database } from '../../storage/database.js';
import { FastPathStatus } from '../../mcp/fast-path/fast-path-status.js';
import { UpstreamsService } from '../../upstreams/upstreams.service.js';

export interface Readiness {
  readonly isReady: boolean;
  /** States of the components without causes. Issuers are public through discovery. */
  readonly report: object;
}

@Injectable()
export class HealthService {
  constructor(
    private readonly jwks: JwksService,
    private readonly introspection: IntrospectionService,
    private readonly database: Database,
    private readonly audit: AuditService,
    private readonly forwarding: ForwardingService,
    private readonly policy: PolicyService,
    private readonly revocations: RevocationService,
    private readonly shared: SharedDatabaseService,
    private readonly drain: Drain,
    private readonly upstreams: UpstreamsService,
    private readonly fastPath: FastPathStatus,
  ) {}

  /** Ready: keys of every issuer, a reachable database, a writable audit log, no shutdown. Never rejects. */
  async ready(): Promise<Readiness> {
    const [keys, database, auditLog] = await Promise.all([
      this.jwks.ready(),
      this.database.ready(),
      this.audit.ready(),
    ]);
    const checks = { keys, database, audit_log: auditLog };
    const isReady = Object.values(checks).every(Boolean) && !this.drain.isDraining;
    // An introspected issuer is shown without effect: an idle instance would never ask it again.
    const issuers = [...this.jwks.status().map(shownKeys), ...this.introspection.status()];
    // Sinks have no effect: the audit log keeps undelivered records.
    const sinks = this.forwarding.status();
    // A rejected policy has no effect: the previous one stays in force.
    const policy = this.policy.status();
    const revocations = this.revocations.status();
    const rateLimitStore = this.shared.status();
    // Upstreams have no effect: calls report unavailable ones.
    const upstreams = this.upstreams.status();
    const report = {
      status: this.drain.isDraining ? 'draining' : isReady ? 'ok' : 'unavailable',
      checks,
      issuers,
      ...(sinks.length > 0 && { sinks }),
      ...(policy && { policy }),
      ...(revocations && { revocations }),
      ...(rateLimitStore && { rate_limit_store: rateLimitStore }),
      ...(upstreams.length > 0 && { upstreams }),
      // Concerns speed only.
      fast_path: this.fastPath.report(),
    };
    return { isReady, report };
  }
}

/** `stale`: the last good keys, until the stated time. */
function shownKeys({ issuer, state, keys, usableUntil }: IssuerKeys): object {
  return {
    issuer,
    keys: state,
    usable_keys: keys,
    usable_until: usableUntil === null ? null : new Date(usableUntil).toISOString(),
  };
}
