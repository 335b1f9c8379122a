/** Whether this process can do its work, and which part of it cannot: for probes, wherever they ask. */
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
  /** Says yes or no and which part, never why. Issuers are no secret: discovery names them too. */
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

  /** Keys of every issuer known, database reachable, audit log writable, and not about to end. Never rejects. */
  async ready(): Promise<Readiness> {
    const [keys, database, auditLog] = await Promise.all([
      this.jwks.ready(),
      this.database.ready(),
      this.audit.ready(),
    ]);
    const checks = { keys, database, audit_log: auditLog };
    const isReady = Object.values(checks).every(Boolean) && !this.drain.isDraining;
    // An issuer that is asked about each token is shown, and decides nothing: an instance that gets no requests would
    // never ask it again.
    const issuers = [...this.jwks.status().map(shownKeys), ...this.introspection.status()];
    // Nor do collectors: the audit log keeps what they lack.
    const sinks = this.forwarding.status();
    // Nor does a changed policy that was refused: the one before decides.
    const policy = this.policy.status();
    const revocations = this.revocations.status();
    const rateLimitStore = this.shared.status();
    // Nor do upstreams: what of them works is there, and the rest says so when it is called.
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
      // It concerns speed alone.
      fast_path: this.fastPath.report(),
    };
    return { isReady, report };
  }
}

/** `stale`: the last good keys, until the time that it says. */
function shownKeys({ issuer, state, keys, usableUntil }: IssuerKeys): object {
  return {
    issuer,
    keys: state,
    usable_keys: keys,
    usable_until: usableUntil === null ? null : new Date(usableUntil).toISOString(),
  };
}
