/** Command line of `mcp-gate audit`. */
import type { Command } from 'commander';
import { EVENTS, STATUSES } from '../../audit/record.js';
import { REASONS } from '../../core/reasons.js';
import { JSON_OPTION, withExamples } from '../help.js';
import { collect, notEmpty, oneOf } from '../option-values.js';
import { UsageError } from '../usage.js';
import { readTime } from './read-time.js';
import type { Selection } from './selection.js';

/** Users are recorded as hashes with this key and issuer. */
export interface PseudonymOf {
  readonly keyFile: string;
  readonly issuer: string;
}

export interface ExpectedRecord {
  readonly seq: number;
  readonly hash: string;
}

const FORMATS = ['text', 'json', 'html'] as const;

export type AuditRequest =
  | {
      readonly kind: 'verify';
      readonly paths: readonly string[];
      readonly keys: readonly string[];
      readonly expected: ExpectedRecord | undefined;
      readonly json: boolean;
    }
  | {
      readonly kind: 'query';
      readonly paths: readonly string[];
      readonly selection: Selection;
      readonly pseudonym: PseudonymOf | undefined;
      /** Number of newest records; infinite: all. */
      readonly limit: number;
      /** Waits for further records until interrupted. */
      readonly follow: boolean;
      readonly json: boolean;
    }
  | { readonly kind: 'chain'; readonly paths: readonly string[]; readonly id: string; readonly json: boolean }
  | {
      readonly kind: 'report';
      readonly paths: readonly string[];
      readonly selection: Selection;
      readonly pseudonym: PseudonymOf | undefined;
      readonly format: (typeof FORMATS)[number];
    };

type SelectionOptions = {
  -readonly [K in keyof Selection]: Selection[K];
} & { pseudonymKey?: string; issuer?: string };

const DEFAULT_LIMIT = 1_000;
/** As in `tail -f`. */
const DEFAULT_LIMIT_FOLLOWING = 10;
/** The newest records stay in memory until the first is known. */
const MAX_LIMIT = 100_000;
const DEFAULT_REPORT_AGE = '7d';

const FILES = 'files, or folders of .jsonl files; default: the audit log of this server with its archives';
const TIMES = '7d, 12h, 30m, 2w, 2026-11-22 or 2026-11-22T10:00:00Z';

/** @param now for times like `7d`. */
export function declareAudit(program: Command, now: Date, run: (request: AuditRequest) => void): void {
  const audit = program
    .command('audit')
    .description('Verifies, searches and summarizes the audit log. Works offline on copies of its files.');
  withExamples(audit, ['mcp-gate audit verify', 'mcp-gate audit query --person alice --since 7d']);

  const verify = audit
    .command('verify')
    .description('Checks hashes and signatures; names the first record that was changed.')
    .argument('[files...]', FILES)
    .option('--key <file>', 'trust only this public key (PEM, JWK or JWKS); may be repeated', collect)
    .option(
      '--expect <seq:hash>',
      'require this record; detects a truncated log and a rewritten history',
      readExpected,
    )
    .option('--json', JSON_OPTION)
    .action((paths: string[], { key = [], expect, json = false }: VerifyOptions) =>
      run({ kind: 'verify', paths, keys: key, expected: expect, json }),
    );
  withExamples(
    verify,
    ['mcp-gate audit verify --key audit-keys.json', 'mcp-gate audit verify /backup/gate-1/'],
    'the audit log was tampered with',
  );

  const query = withSelection(audit.command('query'), now)
    .description('Prints records, one a line.')
    .option(
      '--limit <n>',
      `print the newest N, at most ${MAX_LIMIT}; 0: all (default: 1000, 10 with --follow)`,
      readLimit,
    )
    .option('--follow', 'then print new records of one file as the server adds them, across rotation')
    .option('--json', JSON_OPTION)
    .action((paths: string[], options: QueryOptions) => {
      const { follow = false, json = false, limit } = options;
      if (follow && options.until !== undefined) throw new UsageError('--until has no effect with --follow.');
      if (follow && paths.length > 1) throw new UsageError('--follow reads one file: name one file.');
      run({
        kind: 'query',
        paths,
        ...readSelection(options),
        limit: limit ?? (follow ? DEFAULT_LIMIT_FOLLOWING : DEFAULT_LIMIT),
        follow,
        json,
      });
    });
  withExamples(
    query,
    [
      'mcp-gate audit query --person alice --decision deny --since 7d',
      'mcp-gate audit query --tool delete_customer --json | jq .request.ip',
      'mcp-gate audit query --follow --decision deny',
    ],
    'no record matches',
  );

  const chain = audit
    .command('chain')
    .description('Prints the delegation of one decision as a tree.')
    .argument('<id>', 'of a decision, or of its outcome')
    .argument('[files...]', FILES)
    .option('--json', JSON_OPTION)
    .action((id: string, paths: string[], { json = false }: { json?: boolean }) =>
      run({ kind: 'chain', id, paths, json }),
    );
  withExamples(chain, ['mcp-gate audit chain DECISION_ID'], 'no record has this id');

  const report = withSelection(audit.command('report'), now)
    .description(
      `Summarizes users, tools, denials and unused grants; since ${DEFAULT_REPORT_AGE} by default.`,
    )
    .option('--format <format>', 'text, json or html (one self-contained page)', oneOf('format', FORMATS))
    .option('--json', 'the same as --format json')
    .action((paths: string[], { json, format, ...options }: ReportOptions) => {
      const since = options.since ?? readTime(DEFAULT_REPORT_AGE, now, 'since');
      run({
        kind: 'report',
        paths,
        ...readSelection({ ...options, since }),
        format: format ?? (json ? 'json' : 'text'),
      });
    });
  withExamples(report, ['mcp-gate audit report --since 30d --format html > report.html']);
}

interface VerifyOptions {
  readonly key?: readonly string[];
  readonly expect?: ExpectedRecord;
  readonly json?: boolean;
}

interface QueryOptions extends SelectionOptions {
  readonly limit?: number;
  readonly follow?: boolean;
  readonly json?: boolean;
}

interface ReportOptions extends SelectionOptions {
  readonly format?: (typeof FORMATS)[number];
  readonly json?: boolean;
}

/** Options with closed lists of values. */
function withSelection(command: Command, now: Date): Command {
  const timeOf = (option: string) => (text: string) => readTime(text, now, option);
  return command
    .argument('[files...]', FILES)
    .option('--person <sub>', 'subject of the user, or of a token without a user', notEmpty('person'))
    .option('--agent <sub>', 'an actor of the delegation chain', notEmpty('agent'))
    .option('--client <id>', 'OAuth client', notEmpty('client'))
    .option('--tool <name>', 'tool', notEmpty('tool'))
    .option('--decision <effect>', 'allow or deny', oneOf('decision', ['allow', 'deny']))
    .option('--reason <reason>', 'reason of a denial', oneOf('reason', REASONS))
    .option('--event <event>', EVENTS.join(', '), oneOf('event', EVENTS))
    .option('--status <status>', STATUSES.join(', '), oneOf('status', STATUSES))
    .option('--trace <id>', 'trace id', notEmpty('trace'))
    .option('--id <id>', 'a record, and the records that belong to it', notEmpty('id'))
    .option('--since <time>', TIMES, timeOf('since'))
    .option('--until <time>', 'as --since; the end is not included', timeOf('until'))
    .option('--pseudonym-key <file>', 'pseudonym key of the server: finds --person by its recorded hash')
    .option('--issuer <iss>', 'issuer of --person, with --pseudonym-key');
}

function readSelection(
  options: SelectionOptions,
): Pick<Extract<AuditRequest, { kind: 'query' }>, 'selection' | 'pseudonym'> {
  const { person, agent, client, tool, decision, reason, event, status, trace, id, since, until } = options;
  if (since !== undefined && until !== undefined && since >= until) {
    throw new UsageError('--since must be before --until.');
  }
  const selection = { person, agent, client, tool, decision, reason, event, status, trace, id, since, until };
  const set = Object.entries(selection).filter(([, value]) => value !== undefined);
  return { selection: Object.fromEntries(set), pseudonym: readPseudonym(options) };
}

function readPseudonym({ person, issuer, pseudonymKey: keyFile }: SelectionOptions): PseudonymOf | undefined {
  if (keyFile === undefined && issuer === undefined) return undefined;
  if (keyFile === undefined || issuer === undefined || person === undefined) {
    throw new UsageError('--pseudonym-key and --issuer need each other and --person.');
  }
  return { keyFile, issuer };
}

function readLimit(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) > MAX_LIMIT) {
    throw new UsageError(`--limit must be a number from 1 to ${MAX_LIMIT}, or 0 for all.`);
  }
  return text === '0' ? Number.POSITIVE_INFINITY : Number(text);
}

function readExpected(text: string): ExpectedRecord {
  const [, seq, hash] = /^(\d{1,15}):([\da-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined) {
    throw new UsageError('--expect must be SEQ:HASH, as printed by verify and by the log.');
  }
  return { seq: Number(seq), hash };
}
