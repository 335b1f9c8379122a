/** Mounts upstreams: combines pins, discovery and policy into the registered tools. */
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { EventLogger } from '../core/event-logger.js';
import { AuditService } from '../audit/audit.service.js';
import { challengeScopesChange } from '../audit/security-config-snapshot.js';
import { startPoller, type Poller } from '../lib/poller.js';
import { withTimeout } from '../lib/with-timeout.js';
import type { Settings, UpstreamsSettings } from '../config/settings.js';
import type { LoadedPolicy } from '../policy/load-policy.js';
import { PolicyService } from '../policy/policy.service.js';
import type { MountedToolDefinition } from '../tools/definitions.js';
import { matchingEntries } from '../tools/mounted-names.js';
import { ToolRegistry } from '../tools/tool-registry.js';
import type { UpstreamCaller } from './connection/upstream-caller.js';
import { identityHeader } from './identity-header.js';
import { loadIdentityKey, type IdentityKey } from './identity-key.js';
import { MountedDefinitions } from './mounted-definitions.js';
import { MountedUpstream, type UpstreamState } from './mounted-upstream.js';
import {
  acceptedChanges,
  CHANGE_EVENTS,
  changeOf,
  describeChange,
  withoutChanged,
  type UpstreamChange,
} from './pin-changes.js';
import { differences, NO_PINS, pinsState, readPins, writePins, type Difference, type Pins } from './pins.js';

/** Poll interval of the pins file. */
const EVERY_MS = 1_000;
/** Interval of discovery for missing upstreams, and of refresh for known ones. */
const REFRESH_EVERY_MS = 15_000;
const ASK_EVERY_MS = 300_000;
const CLOSE_PATIENCE_MS = 10_000;

export interface UpstreamStatus {
  readonly name: string;
  readonly state: UpstreamState;
  readonly tools: number;
  /** Tools with an entry that differ from their pins, are new or removed, or have an invalid condition. */
  readonly withheld: number;
}

@Injectable()
export class UpstreamsService implements OnApplicationShutdown {
  private readonly logger = new EventLogger('Upstreams');
  private readonly settings: UpstreamsSettings;
  private readonly resource: string;
  private readonly upstreams: readonly MountedUpstream[];
  private readonly pollers: Poller[] = [];
  private pins: Pins = NO_PINS;
  private seenPins = '';
  private readonly built = new MountedDefinitions(this.logger);
  /** Already logged differences. */
  private readonly loggedDifferences = new Map<string, string>();
  private work: Promise<void> = Promise.resolve();
  private key: Promise<IdentityKey> | undefined;
  private started = false;

  constructor(
    config: ConfigService<Settings, true>,
    private readonly registry: ToolRegistry,
    private readonly policy: PolicyService,
    private readonly audit: AuditService,
  ) {
    this.settings = config.get('upstreams', { infer: true });
    this.resource = config.get('server', { infer: true }).resource;
    this.upstreams = this.settings.list.map(
      (settings) =>
        new MountedUpstream(settings, {
          folder: this.settings.folder,
          identityHeader:
            settings.transport === 'http' && settings.identityHeader
              ? this.identityOf(settings.identityHeader.audience)
              : undefined,
          log: this.logger,
          onFound: () => void this.reconcile(),
        }),
    );
  }

  /** Before the policy is loaded: pinned tools exist from the start, independent of their upstream. @throws Error */
  async mountAccepted(): Promise<void> {
    if (this.upstreams.length === 0) return;
    if (this.signs) await this.identityKey();
    this.seenPins = pinsState(this.settings.pinsFile);
    this.pins = readPins(this.settings.pinsFile);
    this.registry.mount(this.definitions());
  }

  /** Starts background discovery. */
  start(): void {
    if (this.upstreams.length === 0) return;
    this.started = true;
    this.pollers.push(startPoller(() => this.readAgain(), EVERY_MS));
    this.pollers.push(startPoller(() => this.refreshMissing(), REFRESH_EVERY_MS));
    this.pollers.push(startPoller(() => this.refreshAll(), ASK_EVERY_MS));
    // An abrupt exit would orphan child processes.
    process.once('exit', this.atExit);
    this.refreshAll();
    void this.reconcile();
  }

  async onApplicationShutdown(): Promise<void> {
    this.pollers.forEach((poller) => poller.stop());
    this.started = false;
    const closing = Promise.all(this.upstreams.map((upstream) => upstream.close()));
    await withTimeout(Promise.all([closing, this.work]), CLOSE_PATIENCE_MS);
    // Processes in the handshake are killed without a wait.
    this.atExit();
    process.off('exit', this.atExit);
  }

  /** Starts discovery of upstreams that need a caller, in the background. */
  discoverForCaller(caller: UpstreamCaller): void {
    for (const upstream of this.upstreams) {
      if (this.started && upstream.needsCaller && !upstream.found) void upstream.refresh(caller);
    }
  }

  /** True with at least one upstream. */
  get mountsAny(): boolean {
    return this.upstreams.length > 0;
  }

  /** True if an upstream has an identity header. */
  get signs(): boolean {
    return this.settings.list.some((one) => one.transport === 'http' && one.identityHeader !== undefined);
  }

  /** @throws Error if the key cannot be read or created. */
  identityKey(): Promise<IdentityKey> {
    this.key ??= loadIdentityKey({
      path: this.settings.keyFile,
      mayMake: this.settings.makesKey,
      onReplaced: (message) => this.logger.write('upstream.identity_key_replaced', message),
    });
    return this.key;
  }

  status(): UpstreamStatus[] {
    const { unfit } = this.policy.current;
    return this.upstreams.map((upstream) => {
      const tools = this.registry.mounted
        .filter((one) => this.built.upstreamOf(one) === upstream.settings.name)
        .filter(({ withheld }) => withheld === undefined);
      const fitting = tools.filter(({ name }) => !unfit.has(name));
      return {
        name: upstream.settings.name,
        state: upstream.state,
        tools: fitting.length,
        withheld: this.differencesOf(upstream).length + tools.length - fitting.length,
      };
    });
  }

  private readonly atExit = () => {
    for (const upstream of this.upstreams) upstream.kill();
  };

  private identityOf(audience: string) {
    return async ({ principal }: UpstreamCaller, tool: string, decisionId: string) =>
      identityHeader(await this.identityKey(), {
        issuer: this.resource,
        audience,
        principal,
        tool,
        decisionId,
      });
  }

  private refreshAll(): void {
    for (const upstream of this.upstreams) if (!upstream.needsCaller) void upstream.refresh();
  }

  private refreshMissing(): void {
    for (const upstream of this.upstreams) {
      if (!upstream.needsCaller && !upstream.found && upstream.pausedFor === 0) void upstream.refresh();
    }
  }

  private readAgain(): void {
    const state = pinsState(this.settings.pinsFile);
    if (state === this.seenPins) return;
    this.seenPins = state;
    let pins: Pins;
    try {
      pins = readPins(this.settings.pinsFile);
      // Without the file all tools would be trusted again.
      if (pins.size === 0 && this.pins.size > 0)
        throw new Error(`${this.settings.pinsFile} is empty or missing`);
    } catch (error) {
      this.logger.write(
        'upstream.pins_unreadable',
        `Pins: reload failed, the earlier pins stay in force: ${(error as Error).message}`,
      );
      return;
    }
    void this.reconcile(pins);
  }

  /** Serializes updates of pins, discovery and policy. Never throws. */
  private reconcile(pins?: Pins): Promise<void> {
    this.work = this.work
      .then(() => this.applyPins(pins))
      .catch((error: unknown) =>
        this.logger.write('upstream.mount_failed', 'Upstreams: changed tools were not mounted', {
          err: error,
        }),
      );
    return this.work;
  }

  private async applyPins(pins: Pins | undefined): Promise<void> {
    const before = { pins: this.pins, mounted: this.registry.mounted };
    const accepted = pins ? acceptedChanges(this.pins, pins) : [];
    this.pins = pins ?? this.pins;
    const pinned = await this.pinOnFirstUse();
    const differing = this.newlyDiffering();
    const wanted = this.definitions();
    const same = isSame(wanted, before.mounted);
    if (same && accepted.length + pinned.changes.length + differing.length === 0) return;
    let candidate: LoadedPolicy | undefined;
    let definitions: readonly MountedToolDefinition[];
    let changes: readonly UpstreamChange[];
    try {
      const holds = this.selectCompatible(wanted, before.mounted);
      ({ definitions, candidate } = holds);
      // Tools that break the policy are not trusted at first use: the next start would fail.
      const trusted = pinned.changes.filter(({ upstream }) => !holds.refused.has(upstream));
      const distrusted = pinned.changes.filter((change) => !trusted.includes(change));
      this.pins = withoutChanged(this.pins, distrusted);
      changes = [...accepted, ...trusted, ...differing];
      for (const change of changes) await this.audit.recordChange(change);
      const challenge = this.policy.challengeChange(candidate);
      if (challenge) await this.audit.recordChange(challengeScopesChange(challenge));
      if (trusted.length > 0) await this.keep(this.pins);
    } catch (error) {
      candidate?.dispose();
      this.pins = before.pins;
      this.loggedDifferences.clear();
      throw error;
    }
    this.registry.mount(definitions);
    this.policy.adopt(candidate);
    for (const change of changes) this.logger.write(CHANGE_EVENTS[change.action], describeChange(change));
  }

  /**
   * Policy over these tools. If it fails to compile against the new tools of an upstream, that upstream keeps its
   * previous tools; others are not affected.
   * @throws Error if the policy also fails for the previous tools.
   */
  private selectCompatible(
    wanted: readonly MountedToolDefinition[],
    before: readonly MountedToolDefinition[],
  ): {
    definitions: readonly MountedToolDefinition[];
    candidate: LoadedPolicy;
    /** Names of unchanged upstreams. */
    refused: ReadonlySet<string>;
  } {
    const refused = new Set<string>();
    const of = (all: readonly MountedToolDefinition[], { settings }: MountedUpstream) =>
      all.filter((definition) => this.built.upstreamOf(definition) === settings.name);
    let definitions: readonly MountedToolDefinition[] = [];
    let candidate: LoadedPolicy | undefined;
    try {
      return { definitions: wanted, candidate: this.candidateOver(wanted), refused };
    } catch {
      // The loop below finds the upstream.
    }
    for (const upstream of this.upstreams) {
      const with_ = [...definitions, ...of(wanted, upstream)];
      try {
        const next = this.candidateOver(with_);
        candidate?.dispose();
        [candidate, definitions] = [next, with_];
      } catch (error) {
        const { message } = error as Error;
        this.logger.write(
          'upstream.policy_rejected',
          `Upstream ${upstream.settings.name}: new tools rejected by the policy, the earlier tools stay: ${message}`,
        );
        definitions = [...definitions, ...of(before, upstream)];
        refused.add(upstream.settings.name);
      }
    }
    // The last candidate may be unused.
    candidate?.dispose();
    return { definitions, candidate: this.candidateOver(definitions), refused };
  }

  private candidateOver(definitions: readonly MountedToolDefinition[]): LoadedPolicy {
    const before = this.registry.mounted;
    try {
      this.registry.mount(definitions);
      return this.policy.candidate();
    } finally {
      this.registry.mount(before);
    }
  }

  /** Pins an upstream without pins once, as a whole, with trust_first_use. */
  private async pinOnFirstUse(): Promise<{ changes: UpstreamChange[] }> {
    const first = this.upstreams.filter(
      ({ settings, found }) => settings.trustFirstUse && found && !this.pins.has(settings.name),
    );
    if (first.length === 0) return { changes: [] };
    // The command may have accepted definitions meanwhile.
    const latest = readPins(this.settings.pinsFile);
    const still = first.filter(({ settings }) => !latest.has(settings.name));
    const found = still.map(({ settings, found: tools }) => [settings.name, tools ?? new Map()] as const);
    this.pins = new Map([...this.pins, ...latest, ...found]);
    return {
      changes: still.map(({ settings, found: tools }) =>
        changeOf(settings.name, 'pinned', differences(new Map(), tools ?? new Map())),
      ),
    };
  }

  private async keep(pins: Pins): Promise<void> {
    try {
      await writePins(this.settings.pinsFile, pins);
      this.seenPins = pinsState(this.settings.pinsFile);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Error(
        `${this.settings.pinsFile} cannot be written (${code}): no new definition is accepted`,
        {
          cause: error,
        },
      );
    }
  }

  private definitions(): MountedToolDefinition[] {
    return this.built.build(this.upstreams, {
      pins: this.pins,
      taken: this.registry.localTools.map(({ name }) => name),
      differencesOf: (upstream) => this.differencesOf(upstream),
    });
  }

  /** Differences of tools with an entry in the file. */
  private differencesOf({ settings, found, needsCaller }: MountedUpstream): Difference[] {
    if (!found) return [];
    const accepted = this.pins.get(settings.name) ?? new Map();
    return (
      differences(accepted, found)
        .filter(({ tool }) => matchingEntries(settings, tool).length > 0)
        // With per-caller lists a missing tool may exist for others.
        .filter(({ to }) => !needsCaller || to !== null)
    );
  }

  /** Differences since the last log line. */
  private newlyDiffering(): UpstreamChange[] {
    return this.upstreams.flatMap((upstream) => {
      const { name } = upstream.settings;
      const found = this.differencesOf(upstream);
      const state = JSON.stringify(found);
      const before = this.loggedDifferences.get(name) ?? '[]';
      if (!upstream.found || state === before) return [];
      this.loggedDifferences.set(name, state);
      return [changeOf(name, found.length > 0 ? 'withheld' : 'restored', found)];
    });
  }
}

function isSame(a: readonly MountedToolDefinition[], b: readonly MountedToolDefinition[]): boolean {
  return a.length === b.length && a.every((definition, at) => definition === b[at]);
}
