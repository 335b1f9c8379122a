/** Command line of `mcp-gate policy`. */
import type { Command } from 'commander';
import { isIP } from 'node:net';
import { quote } from '../../lib/format-text.js';
import { parseJsonObject } from '../../lib/json.js';
import { readTime } from '../audit/read-time.js';
import { JSON_OPTION, withExamples } from '../help.js';
import { collect, oneOf } from '../option-values.js';
import { UsageError } from '../usage.js';

/** Principals of a matrix. */
export type SubjectSelector =
  /** A file, stdin, or a name of the audit log. */
  | { readonly kind: 'named'; readonly as: string }
  | { readonly kind: 'roles' }
  | { readonly kind: 'audit-log'; readonly paths: readonly string[]; readonly since: string };

export type Format = 'text' | 'csv' | 'html' | 'json';

interface Common {
  /** Undefined: `POLICY_DIR`. */
  readonly policy: string | undefined;
  readonly format: Format;
}

/** Context of conditions. `at` undefined: now. */
interface Situation {
  readonly at: string | undefined;
  readonly ip: string;
}

export type PolicyRequest =
  | ({ readonly kind: 'check' } & Common)
  | { readonly kind: 'schema' }
  | ({
      readonly kind: 'explain';
      readonly as: string;
      readonly target: string;
      readonly arguments: Readonly<Record<string, unknown>> | undefined;
    } & Situation &
      Common)
  | ({ readonly kind: 'matrix'; readonly subject: SubjectSelector } & Situation & Common)
  | ({
      readonly kind: 'diff';
      readonly before: string;
      readonly after: string;
      readonly subject: SubjectSelector;
    } & Situation &
      Omit<Common, 'policy'>)
  | ({
      readonly kind: 'replay';
      readonly paths: readonly string[];
      readonly since: string | undefined;
      readonly until: string | undefined;
    } & Common);

interface SubjectOptions {
  readonly as?: string;
  readonly roles?: boolean;
  readonly auditLog?: readonly string[];
  readonly since?: string;
}

interface CommonOptions {
  readonly policy?: string;
  readonly format?: Format;
  readonly json?: boolean;
}

type SituationOptions = Partial<Situation>;

const LOOPBACK = '127.0.0.1';
const DEFAULT_AGE = '30d';
const TIMES = '7d, 12h, 30m, 2w, 2026-11-22 or 2026-11-22T10:00:00Z';

/** @param now for times like `7d`. */
export function declarePolicy(program: Command, now: Date, run: (request: PolicyRequest) => void): void {
  const policy = program
    .command('policy')
    .description('Shows the effect of a policy before it is deployed. Starts no server and changes no file.')
    .addHelpText(
      'after',
      '\nReads TOOL_ALLOW_LIST, EXAMPLE_TOOLS, AUTH_REQUIRE_HUMAN, POLICY_DIR, UPSTREAMS_FILE and UPSTREAM_PINS_FILE as the server does.',
    );
  withExamples(policy, ['mcp-gate policy check --policy NEW', 'mcp-gate policy diff OLD NEW']);

  const check = withFormat(withPolicy(policy.command('check')), ['text', 'json'])
    .description('Validates the policy and lists its requirements, rule by rule.')
    .action((options: CommonOptions) => run({ kind: 'check', ...common(options) }));
  withExamples(check, ['mcp-gate policy check --policy NEW'], 'the policy has errors');

  const schema = policy
    .command('schema')
    .description('Prints the Cedar schema that conditions are checked against.')
    .action(() => run({ kind: 'schema' }));
  withExamples(schema, ['mcp-gate policy schema > schema.cedarschema']);

  const explained = withFormat(withSituation(withPolicy(policy.command('explain')), now), ['text', 'json'])
    .description('Explains one decision, step by step.')
    .requiredOption('--as <who>', `one principal: ${AS}`)
    .requiredOption('--tool <name>', 'tool, prompt:NAME or resource')
    .option('--args <json>', 'arguments of the call, a JSON object', readArguments)
    .action((options: CommonOptions & SituationOptions & ExplainOptions) => {
      const { as, tool: target, args } = options;
      run({ kind: 'explain', as, target, arguments: args, ...situation(options), ...common(options) });
    });
  withExamples(
    explained,
    [
      'mcp-gate policy explain --as bob.json --tool delete_customer',
      'pbpaste | mcp-gate policy explain --as - --tool read_customer',
    ],
    'the call is denied',
  );

  const matrix = withFormat(withSituation(withSubject(withPolicy(policy.command('matrix')), now), now), [
    'text',
    'csv',
    'html',
    'json',
  ])
    .description('Prints the decision for each principal and each target.')
    .action((options: CommonOptions & SituationOptions & SubjectOptions) =>
      run({
        kind: 'matrix',
        subject: readSubject(options, now),
        ...situation(options),
        ...common(options),
      }),
    );
  withExamples(matrix, [
    'mcp-gate policy matrix',
    'mcp-gate policy matrix --roles --format html > matrix.html',
  ]);

  const diff = withFormat(withSituation(withSubject(policy.command('diff'), now), now), ['text', 'json'])
    .description('Prints the cells of the matrix that differ between two policy folders.')
    .argument('<old>', 'folder')
    .argument('<new>', 'folder')
    .action((before: string, after: string, options: CommonOptions & SituationOptions & SubjectOptions) => {
      const { format } = common(options);
      const subject = readSubject(options, now);
      run({ kind: 'diff', before, after, subject, ...situation(options), format });
    });
  withExamples(diff, ['mcp-gate policy diff OLD NEW --audit-log data/audit.jsonl'], 'a decision differs');

  const replay = withFormat(withPolicy(policy.command('replay')), ['text', 'json'])
    .description('Decides the recorded calls again and prints every different decision.')
    .argument('[files...]', 'of audit logs; default: the audit log of this server')
    .option('--audit-log <file>', 'the same as an argument; may be repeated', collect)
    .option('--since <time>', TIMES, timeOf('since', now))
    .option('--until <time>', 'as --since; the end is not included', timeOf('until', now))
    .action((words: string[], options: CommonOptions & ReplayOptions) => {
      const { auditLog = [], since, until } = options;
      run({ kind: 'replay', paths: [...words, ...auditLog], since, until, ...common(options) });
    });
  withExamples(replay, ['mcp-gate policy replay --policy NEW --since 30d'], 'a decision differs');
}

const AS =
  'a file (YAML or JSON), a subject of the audit log ("alice", "alice via agent"), or - for a token or principal on stdin';

interface ExplainOptions {
  readonly as: string;
  readonly tool: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

interface ReplayOptions {
  readonly auditLog?: readonly string[];
  readonly since?: string;
  readonly until?: string;
}

function withPolicy(command: Command): Command {
  return command.option('--policy <folder>', 'folder of the policy; default: POLICY_DIR');
}

function withFormat(command: Command, formats: readonly Format[]): Command {
  return command
    .option('--format <format>', formats.join(', '), oneOf('format', formats))
    .option('--json', JSON_OPTION);
}

function withSubject(command: Command, now: Date): Command {
  return command
    .option('--as <who>', `principals: ${AS}`)
    .option('--roles', 'one user for each role, with every scope (default)')
    .option('--audit-log <file>', 'the users of an audit log; may be repeated', collect)
    .option('--since <time>', `of --audit-log: ${TIMES} (default: ${DEFAULT_AGE})`, timeOf('since', now));
}

function withSituation(command: Command, now: Date): Command {
  return command
    .option('--at <time>', `time that conditions see: ${TIMES} (default: now)`, timeOf('at', now))
    .option('--ip <address>', `source address that conditions see (default: ${LOOPBACK})`, readAddress);
}

function common({ policy, format, json }: CommonOptions): Common {
  return { policy, format: format ?? (json ? 'json' : 'text') };
}

function situation({ at, ip = LOOPBACK }: SituationOptions): Situation {
  return { at, ip };
}

function readSubject({ as, roles, auditLog, since }: SubjectOptions, now: Date): SubjectSelector {
  if ([as, roles, auditLog].filter((one) => one !== undefined).length > 1) {
    throw new UsageError('--as, --roles and --audit-log exclude each other: use one of them.');
  }
  if (since !== undefined && auditLog === undefined) {
    throw new UsageError('--since has no effect without --audit-log.');
  }
  if (as !== undefined) return { kind: 'named', as };
  if (!auditLog) return { kind: 'roles' };
  return { kind: 'audit-log', paths: auditLog, since: since ?? readTime(DEFAULT_AGE, now, 'since') };
}

function timeOf(option: string, now: Date): (text: string) => string {
  return (text) => readTime(text, now, option);
}

function readAddress(text: string): string {
  if (isIP(text) === 0) throw new UsageError(`--ip: ${quote(text)} is not an IP address.`);
  return text;
}

function readArguments(text: string): Readonly<Record<string, unknown>> {
  const value = parseJsonObject(text);
  if (!value) throw new UsageError('--args must be a JSON object.');
  return value;
}
