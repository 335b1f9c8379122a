/** Counts use, denials with reasons, and unused grants, record by record. */
import type { Change, StoredRecord } from '../../audit/record.js';

export interface Use {
  readonly person: string;
  readonly tool: string;
  allowed: number;
  denied: number;
  failed: number;
  last: string;
}

export interface Refusal {
  readonly reason: string;
  readonly tool: string | null;
  readonly person: string | null;
  /** Missing scopes and roles. */
  readonly missing: string;
  count: number;
  last: string;
}

export interface UnusedGrant {
  readonly person: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
}

export interface Summary {
  readonly records: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly counts: Readonly<Record<'allowed' | 'denied' | 'lists' | 'unauthenticated', number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly uses: readonly Use[];
  readonly refusals: readonly Refusal[];
  /** Grants of tokens that no allowed call required. */
  readonly unusedGrants: readonly UnusedGrant[];
  readonly changes: readonly { readonly time: string; readonly what: string; readonly message: string }[];
  /** True if users, tools or reasons exceed the limit of counted rows. */
  readonly isCut: boolean;
}

/** Maximum number of rows: the input may be hostile. */
const MAX_ROWS = 10_000;
/** Replaces unknown names, which callers can invent. */
const UNKNOWN = '(unknown names)';

export class Summarizer {
  private records = 0;
  private from: string | null = null;
  private to: string | null = null;
  private readonly counts = { allowed: 0, denied: 0, lists: 0, unauthenticated: 0 };
  private readonly outcomes: Record<string, number> = {};
  private readonly uses = new Map<string, Use>();
  private readonly refusals = new Map<string, Refusal>();
  private readonly granted = new Map<
    string,
    { person: string; scopes: Set<string>; roles: Set<string>; used: Set<string> }
  >();
  private readonly changes: { time: string; what: string; message: string }[] = [];
  private isCut = false;

  add(record: StoredRecord): void {
    this.records += 1;
    this.from ??= record.time;
    this.to = record.time;
    if (record.event === 'change') this.addChange(record);
    else if (record.event === 'outcome') this.addOutcome(record);
    else if (record.event === 'list') this.counts.lists += 1;
    if (record.principal) this.addGrants(record, record.principal);
    if (record.decision === 'deny') this.addRefusal(record);
    if (record.event !== 'decision' || record.tool === null) return;
    if (record.decision === 'allow') this.counts.allowed += 1;
    const use = this.use(record);
    if (!use) return;
    if (record.decision === 'allow') use.allowed += 1;
    else use.denied += 1;
    use.last = record.time;
  }

  summary(): Summary {
    const { records, from, to, counts, outcomes, changes, isCut } = this;
    return {
      records,
      from,
      to,
      counts,
      outcomes,
      uses: [...this.uses.values()].sort((a, b) => b.allowed + b.denied - a.allowed - a.denied),
      refusals: [...this.refusals.values()].sort((a, b) => b.count - a.count),
      unusedGrants: this.unusedGrants(),
      changes,
      isCut,
    };
  }

  private use(record: StoredRecord): Use | undefined {
    const person = personOf(record);
    const tool = toolOf(record) ?? '';
    return this.row(this.uses, [person, tool], () => ({
      person: labelOf(record),
      tool,
      allowed: 0,
      denied: 0,
      failed: 0,
      last: '',
    }));
  }

  private addOutcome(record: StoredRecord): void {
    const status = record.outcome?.status ?? 'unknown';
    this.outcomes[status] = (this.outcomes[status] ?? 0) + 1;
    const use = status === 'ok' ? undefined : this.use(record);
    if (use) use.failed += 1;
  }

  private addRefusal(record: StoredRecord): void {
    this.counts.denied += 1;
    if (record.event === 'authentication') this.counts.unauthenticated += 1;
    const { reason } = record;
    const tool = toolOf(record);
    const person = record.principal ? personOf(record) : null;
    const missing = [...record.missing.scopes, ...record.missing.roles].join(', ');
    const refusal = this.row(this.refusals, [reason, tool, person, missing], () => ({
      reason: reason ?? 'unknown',
      tool,
      person: person === null ? null : labelOf(record),
      missing,
      count: 0,
      last: '',
    }));
    if (!refusal) return;
    refusal.count += 1;
    refusal.last = record.time;
  }

  private addGrants(record: StoredRecord, { scopes, roles }: NonNullable<StoredRecord['principal']>): void {
    const grants = this.row(this.granted, [personOf(record)], () => ({
      person: labelOf(record),
      scopes: new Set<string>(),
      roles: new Set<string>(),
      used: new Set<string>(),
    }));
    if (!grants) return;
    scopes.forEach((scope) => grants.scopes.add(scope));
    roles.forEach((role) => grants.roles.add(role));
    if (record.decision !== 'allow' || record.event !== 'decision') return;
    record.required.scopes.forEach((scope) => grants.used.add(`scope ${scope}`));
    // Of alternatives, the role of the user was used.
    record.required.roles
      .flatMap((group) => group.split('|'))
      .forEach((role) => grants.used.add(`role ${role}`));
  }

  private unusedGrants(): UnusedGrant[] {
    return [...this.granted.values()]
      .map(({ person, scopes, roles, used }) => ({
        person,
        scopes: [...scopes].filter((scope) => !used.has(`scope ${scope}`)).sort(),
        roles: [...roles].filter((role) => !used.has(`role ${role}`)).sort(),
      }))
      .filter(({ scopes, roles }) => scopes.length + roles.length > 0)
      .sort((a, b) => (a.person < b.person ? -1 : 1));
  }

  private addChange({ time, change }: StoredRecord): void {
    if (!change || this.changes.length >= MAX_ROWS) return;
    this.changes.push({ time, what: change.what, message: changeWords(change) });
  }

  private row<T>(rows: Map<string, T>, key: readonly unknown[], make: () => T): T | undefined {
    const name = JSON.stringify(key);
    const found = rows.get(name);
    if (found) return found;
    if (rows.size >= MAX_ROWS) {
      this.isCut = true;
      return undefined;
    }
    const made = make();
    rows.set(name, made);
    return made;
  }
}

function toolOf({ reason, tool }: StoredRecord): string | null {
  return reason === 'tool_unknown' && tool !== null ? UNKNOWN : tool;
}

/** User; for a workload the marked client. */
export function personOf({ on_behalf_of: person, principal }: StoredRecord): string {
  return person ?? (principal ? `${principal.sub} (workload)` : 'nobody');
}

/** User with display name. The display name alone is not proof: its holder chooses it. */
export function labelOf(record: StoredRecord): string {
  const name = record.principal?.display_name;
  return name === undefined ? personOf(record) : `${personOf(record)} <${name}>`;
}

function changeWords(change: Change): string {
  switch (change.what) {
    case 'start':
      if (change.changed === null) return 'first start';
      return change.changed.length === 0
        ? 'start, nothing changed'
        : `start, changed: ${change.changed.join(', ')}`;
    case 'gap': {
      const lost = Object.values(change.lost).reduce((sum, count) => sum + count, 0);
      return `records could not be written from ${change.since} to ${change.until}: ${change.late} were written late, ${lost} were lost`;
    }
    case 'policy':
      return `policy ${change.to.slice(0, 12)} in force${change.author === null ? '' : ` by ${change.author}`}, previously ${change.from?.slice(0, 12) ?? 'none'}`;
    case 'challenge_scopes': {
      const words = (of: typeof change.from) =>
        'names' in of ? `${of.names} scopes` : of.join(' ') || 'no scope';
      return `the first challenge requests ${words(change.to)}, previously ${words(change.from)}`;
    }
    case 'revocation': {
      const { kind, value } = change.revocation;
      return `${change.action}: ${kind} ${value} by ${change.by}${change.reason === null ? '' : ` (${change.reason})`}`;
    }
    case 'signal':
      return `${change.event.split('/').at(-1)} from ${change.transmitter}: ${change.why ?? `${change.revocations.length} revocation(s)`}`;
    case 'upstream': {
      const { upstream, action, tools, more = 0 } = change;
      const names = tools.map(({ tool }) => tool).join(', ');
      return `upstream ${upstream}: ${action}${names === '' ? '' : `: ${names}`}${more > 0 ? ` and ${more} more` : ''}`;
    }
    case 'rate_limit_store':
      return change.state === 'shared'
        ? 'rate limit store available: all instances share their counts'
        : `rate limit store unavailable, this instance counts locally: ${change.cause}`;
    case 'key':
      return `signing key changed from ${change.from} to ${change.to}`;
    case 'retention':
      return `${change.removed.length} file(s) deleted after their retention period`;
  }
}
