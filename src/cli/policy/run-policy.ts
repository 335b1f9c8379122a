/** `mcp-gate policy`: effect of a policy before deployment. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { find } from '../audit/find.js';
import { chainsIn } from '../audit/sources.js';
import { EXIT_FAILED, EXIT_OK, type CommandContext } from '../run-command.js';
import { UsageError } from '../usage.js';
import { auditFileOf, loadSettings, type Environment } from '../../config/load-settings.js';
import type { Settings } from '../../config/settings.js';
import type { ProtectedTarget } from '../../policy/access-rule.js';
import { schemaText } from '../../policy/cedar/cedar-schema.js';
import { escapeControlChars } from '../../lib/format-text.js';
import { callerOf } from '../../policy/evaluate.js';
import { loadPolicyFolder, type LoadedPolicy } from '../../policy/load-policy.js';
import { PolicyError } from '../../policy/operator-files.js';
import type { PolicyRequest, SubjectSelector } from './command-line.js';
import { explain } from './explain.js';
import { changesBetween, matrixOf, type Matrix } from './matrix.js';
import { peopleAs } from './people.js';
import { principalOfRecord, principalsByRole, withoutScopes, type NamedPrincipal } from './principals.js';
import { registeredTargets } from '../registered-targets.js';
import {
  matrixCsv,
  matrixPage,
  renderChanges,
  renderCheck,
  renderExplanation,
  renderMatrix,
  renderReplay,
  type DifferenceKind,
} from './render.js';
import { replay, type Difference } from './replay.js';

const MAX_PEOPLE = 200;
const MAX_EXAMPLES = 3;

/** Variables that affect decisions; others are optional. */
const DECIDING = [
  'TOOL_ALLOW_LIST',
  'EXAMPLE_TOOLS',
  'AUTH_REQUIRE_HUMAN',
  'POLICY_DIR',
  'DATA_DIR',
  'UPSTREAMS_FILE',
  'UPSTREAM_PINS_FILE',
] as const;

type Request<K extends PolicyRequest['kind']> = Extract<PolicyRequest, { kind: K }>;

/** @throws PolicyError, DeclarationError, ConfigurationError, or Error with a public message. */
export async function runPolicy(request: PolicyRequest, context: CommandContext): Promise<number> {
  context.progress('Reading the policy');
  const settings = decidingSettings(context.environment());
  const targets = await registeredTargets(settings, (notice) => console.error(escapeControlChars(notice)));
  const commands = new PolicyCommands(settings, targets, context);
  switch (request.kind) {
    case 'check':
      return commands.check(request);
    case 'schema':
      return commands.schema();
    case 'explain':
      return commands.explain(request);
    case 'matrix':
      return commands.matrix(request);
    case 'diff':
      return commands.diff(request);
    case 'replay':
      return commands.replay(request);
  }
}

/** Faults of a policy; the message names the folder. */
class FaultyPolicy extends Error {
  override readonly name = 'PolicyError';

  constructor(
    folder: string,
    readonly faults: readonly string[],
    message: string,
  ) {
    super(`${folder}: ${message}`);
  }
}

class PolicyCommands {
  constructor(
    private readonly settings: Settings,
    private readonly targets: readonly ProtectedTarget[],
    private readonly context: CommandContext,
  ) {}

  async check({ policy, format }: Request<'check'>): Promise<number> {
    let loaded: LoadedPolicy;
    try {
      loaded = this.load(policy);
    } catch (error) {
      if (!(error instanceof FaultyPolicy)) throw error;
      if (format === 'json') await this.write(JSON.stringify({ faults: error.faults }));
      else console.error(error.message);
      return EXIT_FAILED;
    }
    const { digest } = loaded.policy;
    await this.write(
      format === 'json'
        ? JSON.stringify({ sha256: digest ?? null, author: loaded.author })
        : renderCheck(loaded),
    );
    return EXIT_OK;
  }

  async schema(): Promise<number> {
    await this.write(schemaText(this.targets).trimEnd());
    return EXIT_OK;
  }

  async explain({
    policy,
    as,
    target,
    arguments: given,
    at,
    ip,
    format,
  }: Request<'explain'>): Promise<number> {
    const loaded = this.load(policy);
    const { principals, origin, refused } = await peopleAs(as, this.context.environment());
    const [who, another] = principals;
    if (!who || another) throw new UsageError('--as: explain accepts one principal.');
    if (origin !== undefined) console.error(origin);
    const environment = {
      ...toEnvironment(at, ip),
      arguments: given,
    };
    const explanation = explain(loaded, callerOf(who.principal, loaded.policy, environment), target);
    await this.write(format === 'json' ? JSON.stringify(explanation) : renderExplanation(explanation));
    return explanation.decision.effect === 'allow' && !refused ? EXIT_OK : EXIT_FAILED;
  }

  async matrix({ policy, subject, at, ip, format }: Request<'matrix'>): Promise<number> {
    const loaded = this.load(policy);
    const matrix = matrixOf(loaded, await this.people(subject, loaded, at), toEnvironment(at, ip));
    const title = `Access matrix of ${loaded.policy.digest ?? 'no policy'}`;
    const renders = {
      text: renderMatrix,
      csv: matrixCsv,
      html: (one: Matrix) => matrixPage(one, title),
      json: (one: Matrix) => JSON.stringify(one),
    };
    await this.write(renders[format](matrix));
    return EXIT_OK;
  }

  async diff({ before, after, subject, at, ip, format }: Request<'diff'>): Promise<number> {
    const [was, is] = [this.load(before), this.load(after)];
    const lists = [was, is].map(({ policy }) => policy.listsObtainable);
    const isListOther = lists[0] !== lists[1];
    let people = await this.people(subject, is, at);
    if (subject.kind === 'roles') {
      people = union(await this.people(subject, was, at), people);
      if (isListOther) people = [...people, ...withoutScopes(people)];
    }
    const environment = toEnvironment(at, ip);
    const changes = changesBetween(matrixOf(was, people, environment), matrixOf(is, people, environment));
    if (isListOther) {
      const mode = `list: ${lists.map((one) => (one ? 'obtainable' : 'callable')).join(' → ')}`;
      if (format === 'json') console.error(mode);
      else await this.write(mode);
    }
    await this.write(format === 'json' ? JSON.stringify(changes) : renderChanges(changes));
    return changes.length === 0 && !isListOther ? EXIT_OK : EXIT_FAILED;
  }

  async replay({ policy, paths, since, until, format }: Request<'replay'>): Promise<number> {
    const candidate = this.load(policy);
    const selection = {
      event: 'decision',
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    };
    let [same, skipped] = [0, 0];
    const unknown = new Map<string, number>();
    this.context.progress('Reading the audit log');
    const kinds = new Map<string, { count: number; examples: Difference[] }>();
    for (const { files } of await chainsIn(paths, auditFileOf(this.context.environment()))) {
      for await (const { record } of find(files, selection)) {
        const verdict = replay(record, candidate);
        if (verdict.kind === 'same') same += 1;
        else if (verdict.kind === 'skipped') skipped += 1;
        else if (verdict.kind === 'unknown') unknown.set(verdict.rule, (unknown.get(verdict.rule) ?? 0) + 1);
        else {
          if (format === 'json') await this.write(JSON.stringify(verdict.difference));
          count(kinds, verdict.difference);
        }
      }
    }
    const found: DifferenceKind[] = [...kinds.values()].sort((a, b) => b.count - a.count);
    if (format !== 'json') await this.write(renderReplay({ same, skipped, unknown, kinds: found }));
    return found.length === 0 ? EXIT_OK : EXIT_FAILED;
  }

  private write(text: string): Promise<void> {
    return this.context.write(`${text}\n`);
  }

  private load(directory: string | undefined): LoadedPolicy {
    const named = directory === undefined ? this.settings.policy.directory : resolve(directory);
    try {
      return loadPolicyFolder(this.settings.policy, this.targets, named);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      throw new FaultyPolicy(directory ?? 'POLICY_DIR', error.faults, error.message);
    }
  }

  private async people(
    subject: SubjectSelector,
    loaded: LoadedPolicy,
    at: string | undefined,
  ): Promise<NamedPrincipal[]> {
    if (subject.kind === 'roles') return principalsByRole(loaded, toEnvironment(at, '').now);
    if (subject.kind === 'named') {
      const { principals, origin } = await peopleAs(subject.as, this.context.environment());
      if (origin !== undefined) console.error(origin);
      return [...principals];
    }
    const people = new Map<string, NamedPrincipal>();
    for (const { files } of await chainsIn(subject.paths, auditFileOf(this.context.environment()))) {
      for await (const { record } of find(files, { since: subject.since })) {
        const principal = principalOfRecord(record);
        if (!principal) continue;
        // State of the last record.
        const { issuer, subject, clientId } = principal;
        people.set(JSON.stringify([issuer, subject, clientId]), {
          name: `${subject} via ${clientId}`,
          principal,
        });
      }
    }
    if (people.size > MAX_PEOPLE)
      console.error(`Only the first ${MAX_PEOPLE} of ${people.size} principals are shown.`);
    const named = disambiguate([...people.values()]);
    return named.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, MAX_PEOPLE);
  }
}

/** Variables that affect decisions. A missing allow-list counts as open. */
function decidingSettings(env: Environment): Settings {
  if (env.TOOL_ALLOW_LIST === undefined) {
    console.error(
      'TOOL_ALLOW_LIST is not set: the command uses *, but the server does not start without it.',
    );
  }
  const deciding = Object.fromEntries(DECIDING.map((name) => [name, env[name]]));
  const needed = { AUTH_ISSUER: 'https://issuer.example', TOOL_ALLOW_LIST: '*' };
  return loadSettings(
    { ...needed, ...Object.fromEntries(Object.entries(deciding).filter(([, value]) => value !== undefined)) },
    (path) => readFileSync(path, 'utf8'),
  );
}

function toEnvironment(at: string | undefined, ip: string): { readonly now: number; readonly ip: string } {
  return { now: at === undefined ? Date.now() : Date.parse(at), ip };
}

/** Two issuers may use the same name. */
function disambiguate(people: readonly NamedPrincipal[]): NamedPrincipal[] {
  const counts = new Map<string, number>();
  for (const { name } of people) counts.set(name, (counts.get(name) ?? 0) + 1);
  return people.map(({ name, principal }) => ({
    name: counts.get(name) === 1 ? name : `${name}, of ${principal.issuer}`,
    principal,
  }));
}

function union(a: readonly NamedPrincipal[], b: readonly NamedPrincipal[]): NamedPrincipal[] {
  return [...new Map([...a, ...b].map((one) => [one.name, one])).values()];
}

function count(kinds: Map<string, { count: number; examples: Difference[] }>, one: Difference): void {
  const key = JSON.stringify([one.target, one.before, one.after, one.rule]);
  const kind = kinds.get(key) ?? { count: 0, examples: [] };
  kinds.set(key, kind);
  kind.count += 1;
  if (kind.examples.length < MAX_EXAMPLES) kind.examples.push(one);
}
