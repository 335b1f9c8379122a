/** `npm run policy`: questions to a policy in, answers and an exit code out. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isJsonObject } from '../../lib/json.js';
import { find } from '../audit/find.js';
import { chainsIn } from '../audit/sources.js';
import { lostOptions, usageError, WRONG_USAGE } from '../usage.js';
import { npmVariables, readEnvironment } from '../../config/environment.js';
import { auditFileOf, loadSettings } from '../../config/load-settings.js';
import type { Settings } from '../../config/settings.js';
import type { ProtectedTarget } from '../../policy/access-rule.js';
import { schemaText } from '../../policy/cedar/cedar-schema.js';
import { escapeControlChars } from '../../lib/format-text.js';
import { callerOf } from '../../policy/evaluate.js';
import { loadPolicyFolder, type LoadedPolicy } from '../../policy/load-policy.js';
import { PolicyError } from '../../policy/operator-files.js';
import { HELP, readCommandLine, USAGE, type Command, type SubjectSelector } from './command-line.js';
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

const GOOD = 0;
const NOT_GOOD = 1;
const MAX_PEOPLE = 200;
const MAX_EXAMPLES = 3;

/** Variables that decide which targets exist and who may have them; the others need not be set to ask. */
const DECIDING = [
  'TOOL_ALLOW_LIST',
  'AUTH_REQUIRE_HUMAN',
  'POLICY_DIR',
  'DATA_DIR',
  'UPSTREAMS_FILE',
  'UPSTREAM_PINS_FILE',
] as const;

type Asked<K extends Command['kind']> = Extract<Command, { kind: K }>;

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const lost = lostOptions(USAGE, args, npmVariables());
  const command: Command = lost ? { kind: 'wrong', message: lost } : readCommandLine(args, new Date());
  if (command.kind === 'help') {
    await write(HELP);
    return GOOD;
  }
  if (command.kind === 'wrong') {
    console.error(usageError(USAGE, command.message));
    return WRONG_USAGE;
  }
  const settings = decidingSettings();
  const targets = await registeredTargets(settings, (notice) => console.error(escapeControlChars(notice)));
  const context = new CommandContext(settings, targets);
  switch (command.kind) {
    case 'check':
      return context.check(command);
    case 'schema':
      return context.schema();
    case 'explain':
      return context.explain(command);
    case 'matrix':
      return context.matrix(command);
    case 'diff':
      return context.diff(command);
    case 'replay':
      return context.replay(command);
  }
}

class CommandContext {
  constructor(
    private readonly settings: Settings,
    private readonly targets: readonly ProtectedTarget[],
  ) {}

  async check({ policy, format }: Asked<'check'>): Promise<number> {
    const loaded = this.load(policy);
    const { digest } = loaded.policy;
    await write(
      format === 'json'
        ? JSON.stringify({ sha256: digest ?? null, author: loaded.author })
        : renderCheck(loaded),
    );
    return GOOD;
  }

  async schema(): Promise<number> {
    await write(schemaText(this.targets).trimEnd());
    return GOOD;
  }

  async explain({ policy, as, target, arguments: given, at, ip, format }: Asked<'explain'>): Promise<number> {
    const loaded = this.load(policy);
    const { principals, origin, refused } = await peopleAs(as, readEnvironment());
    const [who, another] = principals;
    if (!who || another) throw new Error('--as: explain is about one principal.');
    if (origin !== undefined) console.error(origin);
    const environment = {
      ...toEnvironment(at, ip),
      arguments: given === undefined ? undefined : objectIn(given),
    };
    const explanation = explain(loaded, callerOf(who.principal, loaded.policy, environment), target);
    await write(format === 'json' ? JSON.stringify(explanation) : renderExplanation(explanation));
    return explanation.decision.effect === 'allow' && !refused ? GOOD : NOT_GOOD;
  }

  async matrix({ policy, subject, at, ip, format }: Asked<'matrix'>): Promise<number> {
    const loaded = this.load(policy);
    const matrix = matrixOf(loaded, await this.people(subject, loaded, at), toEnvironment(at, ip));
    const title = `Who can what, under ${loaded.policy.digest ?? 'no policy'}`;
    const renders = {
      text: renderMatrix,
      csv: matrixCsv,
      html: (one: Matrix) => matrixPage(one, title),
      json: (one: Matrix) => JSON.stringify(one),
    };
    await write(renders[format](matrix));
    return GOOD;
  }

  async diff({ before, after, subject, at, ip, format }: Asked<'diff'>): Promise<number> {
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
    if (format !== 'json' && isListOther) {
      await write(`list: ${lists.map((one) => (one ? 'obtainable' : 'callable')).join(' → ')}`);
    }
    await write(format === 'json' ? JSON.stringify(changes) : renderChanges(changes));
    return changes.length === 0 && !isListOther ? GOOD : NOT_GOOD;
  }

  async replay({ policy, paths, since, until, format }: Asked<'replay'>): Promise<number> {
    const candidate = this.load(policy);
    const selection = {
      event: 'decision',
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    };
    let [same, skipped] = [0, 0];
    const unknown = new Map<string, number>();
    const kinds = new Map<string, { count: number; examples: Difference[] }>();
    for (const { files } of await chainsIn(paths, auditFileOf(readEnvironment()))) {
      for await (const { record } of find(files, selection)) {
        const verdict = replay(record, candidate);
        if (verdict.kind === 'same') same += 1;
        else if (verdict.kind === 'skipped') skipped += 1;
        else if (verdict.kind === 'unknown') unknown.set(verdict.rule, (unknown.get(verdict.rule) ?? 0) + 1);
        else {
          if (format === 'json') await write(JSON.stringify(verdict.difference));
          count(kinds, verdict.difference);
        }
      }
    }
    const found: DifferenceKind[] = [...kinds.values()].sort((a, b) => b.count - a.count);
    if (format !== 'json') await write(renderReplay({ same, skipped, unknown, kinds: found }));
    return found.length === 0 ? GOOD : NOT_GOOD;
  }

  private load(directory: string | undefined): LoadedPolicy {
    const named = directory === undefined ? this.settings.policy.directory : resolve(directory);
    try {
      return loadPolicyFolder(this.settings.policy, this.targets, named);
    } catch (error) {
      throw error instanceof PolicyError
        ? new Error(`${directory ?? 'POLICY_DIR'}: ${error.message}`)
        : error;
    }
  }

  private async people(
    subject: SubjectSelector,
    loaded: LoadedPolicy,
    at: string | undefined,
  ): Promise<NamedPrincipal[]> {
    if (subject.kind === 'roles') return principalsByRole(loaded, toEnvironment(at, '').now);
    if (subject.kind === 'named') {
      const { principals, origin } = await peopleAs(subject.as, readEnvironment());
      if (origin !== undefined) console.error(origin);
      return [...principals];
    }
    const people = new Map<string, NamedPrincipal>();
    for (const { files } of await chainsIn(subject.paths, auditFileOf(readEnvironment()))) {
      for await (const { record } of find(files, { since: subject.since })) {
        const principal = principalOfRecord(record);
        if (!principal) continue;
        // As last seen.
        const { issuer, subject, clientId } = principal;
        people.set(JSON.stringify([issuer, subject, clientId]), {
          name: `${subject} via ${clientId}`,
          principal,
        });
      }
    }
    if (people.size > MAX_PEOPLE)
      console.error(`Only the first ${MAX_PEOPLE} of ${people.size} people are shown.`);
    const named = disambiguate([...people.values()]);
    return named.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, MAX_PEOPLE);
  }
}

/** The variables that decide; an allow-list that is not set is said to be open here. */
function decidingSettings(): Settings {
  const env = readEnvironment();
  if (env.TOOL_ALLOW_LIST === undefined) {
    console.error('TOOL_ALLOW_LIST is not set: taken as *, which the server would not do.');
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

function objectIn(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (isJsonObject(value)) return value as Record<string, unknown>;
  throw new Error('--args must be a JSON object.');
}

/** Two issuers may give the same name to two people. */
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

function write(text: string): Promise<void> {
  return new Promise((done, failed) => {
    process.stdout.write(`${text}\n`, (error) => (error ? failed(error) : done()));
  });
}

// A reader that has seen enough (head, less) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? GOOD : NOT_GOOD);
});
// Timers of the token's verification keep no process alive, and an end without a verdict must not look like a good one.
process.exitCode = NOT_GOOD;
setInterval(() => undefined, 60_000);
main().then(
  // Connections to an issuer stay open for seconds.
  (code) => process.exit(code),
  (error: unknown) => {
    const { message, name, stack } = error instanceof Error ? error : new Error('The advisor failed');
    // What the operator can mend is said in words.
    const isForeseen =
      ['PolicyError', 'ConfigurationError', 'DeclarationError'].includes(name) || name === 'Error';
    console.error(isForeseen ? message : stack);
    process.exit(NOT_GOOD);
  },
);
