/**
 * Last steps of the start, in order. Nest awaits `onApplicationBootstrap` of the root module after all others. An
 * error ends the start before the server listens.
 */
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { EventLogger } from '../../core/event-logger.js';
import { AuditService } from '../../audit/audit.service.js';
import { securityConfigSnapshot } from '../../audit/security-config-snapshot.js';
import type { Settings } from '../../config/settings.js';
import { VERSION } from '../../lib/version.js';
import { PolicyService } from '../../policy/policy.service.js';
import { ToolRegistry } from '../../tools/tool-registry.js';
import { UpstreamsService } from '../../upstreams/upstreams.service.js';

@Injectable()
export class StartupService implements OnApplicationBootstrap {
  private readonly logger = new EventLogger('Configuration');

  constructor(
    private readonly settings: Settings,
    private readonly upstreams: UpstreamsService,
    private readonly policy: PolicyService,
    private readonly registry: ToolRegistry,
    private readonly audit: AuditService,
  ) {}

  /** @throws PolicyError with every fault of the operator's policy. */
  async onApplicationBootstrap(): Promise<void> {
    // The policy names upstream tools, and the start record contains its digest.
    await this.upstreams.mountAccepted();
    const rules = { ...this.registry.rules() };
    this.policy.load();
    await this.audit.recordStart(this.configuration(rules), VERSION);
    this.upstreams.start();
    for (const notice of this.settings.notices) this.logger.write('config.notice', notice);
  }

  private configuration(rules: Parameters<typeof securityConfigSnapshot>[1]) {
    const { digest } = this.policy.current.policy;
    return securityConfigSnapshot(this.settings, rules, digest ?? null, this.policy.challengeScopes());
  }
}
