/** Decision service: the pure evaluator with the policy in force. */
import { Inject, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { EventLogger } from '../core/event-logger.js';
import type { Decision, Target } from '../core/decision.js';
import type { ListKind, Listing } from '../core/request-context.js';
import type { Principal } from '../core/principal.js';
import type { PolicySettings, Settings } from '../config/settings.js';
import type { JsonObject } from '../lib/json.js';
import { ACCESS_CATALOGUE, type TargetRegistry, type ProtectedTarget } from './access-rule.js';
import { challengeNotices, challengeScopes } from './challenge-scopes.js';
import { callerOf, evaluate, type EvaluationContext } from './evaluate.js';
import { ListingCache } from './listing-cache.js';
import { listTargets } from './listing.js';
import { loadPolicyFolder, type LoadedPolicy } from './load-policy.js';
import type { Policy, TargetPolicy } from './policy.js';

const LIST_KINDS: readonly ListKind[] = ['tools', 'prompts', 'resources', 'resourceTemplates'];

@Injectable()
export class PolicyService {
  readonly settings: PolicySettings;
  private readonly logger = new EventLogger('Policy');
  private readonly listeners = new Set<(before: LoadedPolicy) => void>();
  private loaded: LoadedPolicy | undefined;
  private readonly lists = new ListingCache();
  private since = new Date();
  private challenged: readonly string[] = [];
  private loggedChallenge = '';
  /** Time since which the files hold a rejected policy; otherwise undefined. */
  refused: Date | undefined;

  constructor(
    config: ConfigService<Settings, true>,
    @Inject(ACCESS_CATALOGUE) readonly catalogue: TargetRegistry,
  ) {
    this.settings = config.get('policy', { infer: true });
  }

  /** Called before the first request. @throws PolicyError with every fault of the operator's files. */
  load(): void {
    this.adopt(this.candidate());
  }

  /** Loads the policy of the files without effect. @throws PolicyError */
  candidate(): LoadedPolicy {
    return loadPolicyFolder(this.settings, this.catalogue.all(), this.settings.directory);
  }

  /** Puts a policy into force. */
  adopt(loaded: LoadedPolicy): void {
    const before = this.loaded;
    this.loaded = loaded;
    this.since = new Date();
    this.challenged = this.challengeScopesUnder(loaded);
    for (const notice of loaded.notices) this.logger.write('policy.notice', `Policy: ${notice}`);
    this.logChallengeChange(loaded);
    if (!before) return;
    for (const listener of this.listeners) listener(before);
    before.dispose();
  }

  /** @throws Error before {@link load}. */
  get current(): LoadedPolicy {
    if (!this.loaded) throw new Error('A decision was requested before the policy was loaded');
    return this.loaded;
  }

  /** Called after a change of the policy; the previous one stays usable until the last callback returns. */
  onChange(listener: (before: LoadedPolicy) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** @param given arguments of a call; undefined for other questions. */
  decide(
    principal: Principal,
    target: Target | ProtectedTarget,
    ip: string,
    given: JsonObject | undefined,
  ): Decision {
    return evaluate(this.caller(principal, ip, given), target);
  }

  /**
   * Targets of a list that this principal can call and, unless the policy has `list: callable`, those that lack only
   * scopes or assurance.
   */
  listing(principal: Principal, kind: ListKind, ip: string): Listing {
    const all = this.catalogue.list(kind);
    return this.lists.of(principal, kind, this.current.policy, all, () =>
      listTargets(this.caller(principal, ip, undefined), all),
    );
  }

  /** Lists of this principal that differ from those of the previous policy. */
  changedLists(before: LoadedPolicy, principal: Principal, ip: string): ListKind[] {
    const environment = { now: Date.now(), ip };
    const [was, is] = [before.policy, this.current.policy].map((policy) =>
      callerOf(principal, policy, environment),
    ) as [EvaluationContext, EvaluationContext];
    return LIST_KINDS.filter((kind) => {
      // Tools can be replaced under the same name; other targets are fixed.
      const shown = (caller: EvaluationContext) =>
        listTargets(caller, kind === 'tools' ? toolsOf(caller.policy) : this.catalogue.list(kind)).shown;
      const [before, now] = [shown(was), shown(is)];
      return before.length !== now.length || before.some((target, at) => target !== now[at]);
    });
  }

  /** Policy of one target, by its label. */
  target(label: string): TargetPolicy | undefined {
    return this.current.policy.targets.get(label);
  }

  /** Scopes of the first challenge and of `scopes_supported`, under the names in code. */
  challengeScopes(): readonly string[] {
    return this.challenged;
  }

  /** The same under another policy; undefined if equal. */
  challengeChange(candidate: LoadedPolicy): { from: readonly string[]; to: readonly string[] } | undefined {
    const [from, to] = [this.challenged, this.challengeScopesUnder(candidate)];
    return from.join(' ') === to.join(' ') ? undefined : { from, to };
  }

  /** State for probes; undefined without a policy. */
  status(): object | undefined {
    const { digest } = this.current.policy;
    if (digest === undefined) return undefined;
    const refused = this.refused && { refused_since: this.refused.toISOString() };
    return { sha256: digest, since: this.since.toISOString(), ...refused };
  }

  /** Summary for the log: allowed and unlisted targets. */
  summary(): string {
    const labels = [...this.current.policy.targets];
    const [open, closed] = [true, false].map((isOpen) =>
      labels
        .filter(([, { effective }]) => (effective.blockedBy === undefined) === isOpen)
        .map(([label]) => label)
        .sort(),
    );
    const others = closed?.length ? `; blocked: ${closed.join(', ')}` : '';
    return `Policy: allowed targets: ${open?.join(', ') || 'none'}${others}`;
  }

  private challengeScopesUnder({ policy }: LoadedPolicy): readonly string[] {
    return challengeScopes(policy, this.settings.challengeScopes);
  }

  /** Unchanged notices are not repeated after a reload. */
  private logChallengeChange({ policy }: LoadedPolicy): void {
    const notices = challengeNotices(policy, this.settings.challengeScopes);
    const logged = notices.join('\n');
    if (logged !== this.loggedChallenge)
      for (const notice of notices) this.logger.write('policy.notice', notice);
    this.loggedChallenge = logged;
  }

  private caller(principal: Principal, ip: string, given: JsonObject | undefined): EvaluationContext {
    return callerOf(principal, this.current.policy, { now: Date.now(), ip, arguments: given });
  }
}

function toolsOf({ targets }: Policy): ProtectedTarget[] {
  const tools = [...targets.values()].map(({ target }) => target).filter(({ kind }) => kind === 'tool');
  return tools.sort((a, b) => (a.name < b.name ? -1 : 1));
}
