/** Loads a changed policy: validates it, records the change, then replaces the policy. An invalid one has no effect. */
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { EventLogger } from '../../core/event-logger.js';
import { AuditService } from '../../audit/audit.service.js';
import { challengeScopesChange } from '../../audit/security-config-snapshot.js';
import { startPoller, type Poller } from '../../lib/poller.js';
import type { LoadedPolicy } from '../../policy/load-policy.js';
import { folderState, PolicyError } from '../../policy/operator-files.js';
import { PolicyService } from '../../policy/policy.service.js';

/** Poll interval. File watching would miss changes of mounted volumes. */
const EVERY_MS = 1_000;

@Injectable()
export class PolicyReloaderService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new EventLogger('Policy');
  private poller: Poller | undefined;
  /** State at the last poll; files that still change are skipped. */
  private seen = '';
  /** State at the last attempt. */
  private tried = '';

  constructor(
    private readonly policy: PolicyService,
    private readonly audit: AuditService,
  ) {}

  onApplicationBootstrap(): void {
    const { directory } = this.policy.settings;
    if (directory === undefined) return;
    // The first poll finds changes during startup by their digest.
    this.poller = startPoller(() => this.look(directory), EVERY_MS);
  }

  onApplicationShutdown(): void {
    this.poller?.stop();
  }

  private async look(directory: string): Promise<void> {
    const state = folderState(directory);
    const rests = state === this.seen;
    this.seen = state;
    if (rests && state !== this.tried && (await this.take())) this.tried = state;
  }

  /** @returns true if these files need no further attempt. */
  private async take(): Promise<boolean> {
    let candidate: LoadedPolicy;
    try {
      candidate = this.policy.candidate();
    } catch (error) {
      const refused = 'Policy: reload failed, the earlier policy stays in force';
      if (error instanceof PolicyError)
        this.logger.write('policy.reload_failed', `${refused}: ${error.message}`);
      else this.logger.write('policy.reload_failed', refused, { err: error });
      this.policy.refused = new Date();
      return true;
    }
    const { digest: to } = candidate.policy;
    const from = this.policy.current.policy.digest ?? null;
    this.policy.refused = undefined;
    if (to === undefined || to === from) {
      candidate.dispose();
      return true;
    }
    const { author } = candidate;
    const files = candidate.files.map(({ name, sha256 }) => ({ name, sha256 }));
    try {
      await this.audit.recordChange({ what: 'policy', from, to, author, files });
      const challenge = this.policy.challengeChange(candidate);
      if (challenge) await this.audit.recordChange(challengeScopesChange(challenge));
    } catch (error) {
      candidate.dispose();
      const message = 'Policy: reload delayed, the change could not be recorded';
      this.logger.write('policy.reload_delayed', message, { err: error });
      return false;
    }
    this.policy.adopt(candidate);
    const by = author === null ? '' : ` by ${author}`;
    this.logger.write('policy.reloaded', `Policy: ${to}${by} in force, replaces ${from}`);
    return true;
  }
}
