/** What `npm run audit` is asked to do. Pure. */
import { parseArgs } from 'node:util';
import { EVENTS, STATUSES } from '../../audit/record.js';
import { argumentError, type CommandUsage } from '../usage.js';
import { REASONS } from '../../core/reasons.js';
import { readTime } from './read-time.js';
import type { Selection } from './selection.js';

/** By what a name becomes the hash that stands for it on record. */
export interface PseudonymOf {
  readonly keyFile: string;
  readonly issuer: string;
}

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }
  | {
      readonly kind: 'verify';
      readonly paths: readonly string[];
      readonly keys: readonly string[];
      readonly expected: { readonly seq: number; readonly hash: string } | undefined;
      readonly json: boolean;
    }
  | {
      readonly kind: 'query';
      readonly paths: readonly string[];
      readonly selection: Selection;
      readonly pseudonym: PseudonymOf | undefined;
      /** The newest so many; infinite: all. */
      readonly limit: number;
      /** Waits for further records, until it is interrupted. */
      readonly follow: boolean;
      readonly json: boolean;
    }
  | { readonly kind: 'chain'; readonly paths: readonly string[]; readonly id: string; readonly json: boolean }
  | {
      readonly kind: 'report';
      readonly paths: readonly string[];
      readonly selection: Selection;
      readonly pseudonym: PseudonymOf | undefined;
      readonly format: 'text' | 'json' | 'html';
    };

export const HELP = `Asks the audit log. Without files: the one of this server, with all that was put aside.

  npm run audit -- verify [FILES]         is it what the server wrote? names the first record that is not
      --key FILE                          a public key (PEM or JWK) whose signatures count; several times
                                          for several keys. Without: those that the audit log itself names
      --expect SEQ:HASH                   a record that was seen before: tells a cut end, a new history
  npm run audit -- query [FILES]          records, one a line
      --person --agent --client --tool    who and what
      --decision allow|deny --reason --event --status --trace --id
      --since --until                     7d, 12h, 30m, 2w, 2026-11-22, or 2026-11-22T10:00:00Z; the end is
                                          not included
      --limit N                           the newest N, at most 100000; 1000 (10 with --follow), 0 is all
      --follow                            and then those that the server adds, over rotation; of one file
      --pseudonym-key FILE --issuer ISS   --person is a name of this issuer, on record by its hash
  npm run audit -- chain ID [FILES]       on whose behalf: the delegation of one decision as a tree
  npm run audit -- report [FILES]         who used what, what was refused and why, grants never used
      --since --until --person …          as above; --since 7d is the default
      --format text|json|html             html is one page that needs nothing else
  --json                                  the same as JSON (npm run -s keeps npm quiet)

FILES are files, or folders of .jsonl files. Exit code: 0 fine, 1 tampered with, or nothing found by
query or chain, 2 wrong usage.`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  key: { type: 'string', multiple: true },
  expect: { type: 'string' },
  person: { type: 'string' },
  agent: { type: 'string' },
  client: { type: 'string' },
  tool: { type: 'string' },
  decision: { type: 'string' },
  reason: { type: 'string' },
  event: { type: 'string' },
  status: { type: 'string' },
  trace: { type: 'string' },
  id: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
  limit: { type: 'string' },
  follow: { type: 'boolean' },
  'pseudonym-key': { type: 'string' },
  issuer: { type: 'string' },
  format: { type: 'string' },
} as const;
export const USAGE: CommandUsage = { script: 'audit', options: OPTIONS };
type Option = keyof typeof OPTIONS;
type Values = Partial<Record<Exclude<Option, 'key' | 'help' | 'json' | 'follow'>, string>> & {
  follow?: boolean;
  key?: string[];
  help?: boolean;
  json?: boolean;
};

const SELECTING: readonly Option[] = [
  'person',
  'agent',
  'client',
  'tool',
  'decision',
  'reason',
  'event',
  'status',
  'trace',
  'id',
  'since',
  'until',
];
const ALLOWED: Readonly<Record<string, readonly Option[]>> = {
  verify: ['key', 'expect', 'json'],
  query: [...SELECTING, 'limit', 'follow', 'pseudonym-key', 'issuer', 'json'],
  chain: ['json'],
  report: [...SELECTING, 'format', 'pseudonym-key', 'issuer', 'json'],
};
/** What is a closed list in the audit log is one here: a typing error would find nothing, and say nothing. */
const KNOWN: Partial<Record<Option, readonly string[]>> = {
  decision: ['allow', 'deny'],
  event: EVENTS,
  reason: REASONS,
  status: STATUSES,
};
const DEFAULT_LIMIT = 1_000;
/** As `tail -f`. */
const DEFAULT_LIMIT_FOLLOWING = 10;
/** The newest records are kept in memory until the first of them is known. */
const MAX_LIMIT = 100_000;

/** @param now for times like `7d`. */
export function readCommandLine(args: readonly string[], now: Date): Command {
  try {
    return read(args, now);
  } catch (error) {
    return wrong(argumentError(error, OPTIONS));
  }
}

function read(args: readonly string[], now: Date): Command {
  const { values: all, positionals } = parseArgs({
    args: [...args],
    options: OPTIONS,
    allowPositionals: true,
  });
  const values = all as Values;
  const [name, ...paths] = positionals;
  if (values.help || name === undefined) return values.help ? { kind: 'help' } : wrong('Say what to do.');
  const allowed = ALLOWED[name];
  if (!allowed) return wrong(`${name} is none of verify, query, chain, report.`);
  const stray = Object.keys(values).find((option) => !allowed.includes(option as Option));
  if (stray) return wrong(`--${stray} has no effect for ${name}.`);
  const json = values.json ?? false;
  switch (name) {
    case 'verify':
      return { kind: 'verify', paths, keys: values.key ?? [], expected: readExpected(values.expect), json };
    case 'chain': {
      const [id, ...files] = paths;
      return id === undefined
        ? wrong('chain needs the id of a decision.')
        : { kind: 'chain', id, paths: files, json };
    }
    case 'query':
      if (values.follow && values.until !== undefined) return wrong('--until has no effect with --follow.');
      if (values.follow && paths.length > 1) return wrong('--follow is of one file.');
      return {
        kind: 'query',
        paths,
        selection: readSelection(values, now),
        pseudonym: readPseudonym(values),
        limit: readLimit(values.limit, values.follow ? DEFAULT_LIMIT_FOLLOWING : DEFAULT_LIMIT),
        follow: values.follow ?? false,
        json,
      };
    default:
      return {
        kind: 'report',
        paths,
        selection: readSelection({ since: '7d', ...values }, now),
        pseudonym: readPseudonym(values),
        format: readFormat(values, json),
      };
  }
}

function readSelection(values: Values, now: Date): Selection {
  const selection: Record<string, string> = {};
  for (const option of SELECTING) {
    const value = values[option as keyof Selection];
    if (value === undefined) continue;
    const known = KNOWN[option];
    if (known && !known.includes(value)) throw new Error(`--${option} is one of ${known.join(', ')}.`);
    if (value === '') throw new Error(`--${option} is empty.`);
    selection[option] = option === 'since' || option === 'until' ? readTime(value, now, option) : value;
  }
  const { since, until } = selection;
  if (since !== undefined && until !== undefined && since >= until) {
    throw new Error('--since must be before --until.');
  }
  return selection as Selection;
}

function readPseudonym({ person, issuer, 'pseudonym-key': keyFile }: Values): PseudonymOf | undefined {
  if (keyFile === undefined && issuer === undefined) return undefined;
  if (keyFile === undefined || issuer === undefined || person === undefined) {
    throw new Error('--pseudonym-key, --issuer and --person go together.');
  }
  return { keyFile, issuer };
}

function readLimit(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^\d{1,9}$/.test(text) || Number(text) > MAX_LIMIT) {
    throw new Error(`--limit is a number up to ${MAX_LIMIT}, or 0 for all.`);
  }
  return text === '0' ? Number.POSITIVE_INFINITY : Number(text);
}

function readExpected(text: string | undefined): { seq: number; hash: string } | undefined {
  if (text === undefined) return undefined;
  const [, seq, hash] = /^(\d{1,15}):([\da-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new Error('--expect is SEQ:HASH, as verify and the log print it.');
  return { seq: Number(seq), hash };
}

function readFormat({ format }: Values, json: boolean): 'text' | 'json' | 'html' {
  const wanted = format ?? (json ? 'json' : 'text');
  if (wanted !== 'text' && wanted !== 'json' && wanted !== 'html')
    throw new Error('--format is text, json or html.');
  return wanted;
}

function wrong(message: string): Command {
  return { kind: 'wrong', message };
}
