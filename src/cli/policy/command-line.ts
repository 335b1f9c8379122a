/** What `npm run policy` is asked to do. Pure. */
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { readTime } from '../audit/read-time.js';
import { argumentError, type CommandUsage } from '../usage.js';
import { quote } from '../../lib/format-text.js';

/** Who a matrix is about. */
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

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }
  | ({ readonly kind: 'check' } & Common)
  | { readonly kind: 'schema' }
  | ({
      readonly kind: 'explain';
      readonly as: string;
      readonly target: string;
      readonly arguments: string | undefined;
      readonly at: string | undefined;
      readonly ip: string;
    } & Common)
  | ({
      readonly kind: 'matrix';
      readonly subject: SubjectSelector;
      readonly at: string | undefined;
      readonly ip: string;
    } & Common)
  | ({
      readonly kind: 'diff';
      readonly before: string;
      readonly after: string;
      readonly subject: SubjectSelector;
      readonly at: string | undefined;
      readonly ip: string;
    } & Common)
  | ({
      readonly kind: 'replay';
      readonly paths: readonly string[];
      readonly since: string | undefined;
      readonly until: string | undefined;
    } & Common);

export const HELP = `Says what a policy does before it does it. Nothing is started, and nothing is changed.

  npm run policy -- check                 is it right? what it asks for, rule by rule
  npm run policy -- schema                what conditions can look at, as a Cedar schema
  npm run policy -- explain --as WHO --tool NAME [--args JSON]
                                          why this principal may or may not, step by step
  npm run policy -- matrix                who can what
  npm run policy -- diff OLD NEW          which cells of the matrix change from one folder to another
  npm run policy -- replay [FILES]        what the audit log would hold under --policy: every difference

  --policy DIR            the folder that is asked about; POLICY_DIR
  --as FILE               a principal, as a record has it, or a list under principals: (YAML or JSON)
  --as NAME               a subject of the audit log (alice, "alice via agent"), as in its newest record
  --as -                  a token or a principal on stdin; the token is verified where its issuer answers,
                          and never printed
  --roles                 in place of --as: one person for each role, with every scope; the default
  --audit-log FILE           in place of --as: the people of the audit log, several times for several files
  --since --until         of the audit log: 7d, 12h, 30m, or a date; 30d for --audit-log
  --at TIME --ip ADDRESS  what conditions take for the time and the source; now, 127.0.0.1
  --format text|csv|html|json             csv and html are for matrix
  --json                  the same as --format json (npm run -s keeps npm quiet)

It reads TOOL_ALLOW_LIST, AUTH_REQUIRE_HUMAN, POLICY_DIR, UPSTREAMS_FILE and UPSTREAM_PINS_FILE as the
server does, of upstreams the accepted definitions; a token needs the AUTH_* variables or IDENTITY_FILE, too.
It needs \`npm run build\` once. Exit code: 0 fine, 1 wrong policy, refused (explain), or something differs (diff, replay), 2 wrong
usage.`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  policy: { type: 'string' },
  as: { type: 'string' },
  tool: { type: 'string' },
  args: { type: 'string' },
  at: { type: 'string' },
  ip: { type: 'string' },
  roles: { type: 'boolean' },
  auditLog: { type: 'string', multiple: true },
  since: { type: 'string' },
  until: { type: 'string' },
  format: { type: 'string' },
} as const;
export const USAGE: CommandUsage = { script: 'policy', options: OPTIONS };
type Option = keyof typeof OPTIONS;
type Values = { [K in Exclude<Option, 'help' | 'json' | 'roles' | 'auditLog'>]?: string } & {
  help?: boolean;
  json?: boolean;
  roles?: boolean;
  auditLog?: string[];
};

const SUBJECT_OPTIONS: readonly Option[] = ['as', 'roles', 'auditLog', 'since'];
const ENVIRONMENT_OPTIONS: readonly Option[] = ['at', 'ip'];
const ALLOWED: Readonly<Record<string, readonly Option[]>> = {
  check: ['policy', 'format', 'json'],
  schema: [],
  explain: ['policy', 'as', 'tool', 'args', ...ENVIRONMENT_OPTIONS, 'format', 'json'],
  matrix: ['policy', ...SUBJECT_OPTIONS, ...ENVIRONMENT_OPTIONS, 'format', 'json'],
  diff: [...SUBJECT_OPTIONS, ...ENVIRONMENT_OPTIONS, 'format', 'json'],
  replay: ['policy', 'auditLog', 'since', 'until', 'format', 'json'],
};
const TABLES = ['matrix'];

/** @param now for times like `7d`. */
export function readCommandLine(args: readonly string[], now: Date): Command {
  try {
    return read(args, now);
  } catch (error) {
    return wrong(argumentError(error, OPTIONS));
  }
}

function read(args: readonly string[], now: Date): Command {
  const parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const values = parsed.values as Values;
  const [name, ...words] = parsed.positionals;
  if (values.help) return { kind: 'help' };
  if (name === undefined) return wrong('Say what to do.');
  const allowed = ALLOWED[name];
  if (!allowed) return wrong(`${name} is none of ${Object.keys(ALLOWED).join(', ')}.`);
  const stray = Object.keys(values).find((option) => !allowed.includes(option as Option));
  if (stray) return wrong(`--${stray} has no effect for ${name}.`);
  if (words.length > 0 && name !== 'diff' && name !== 'replay') {
    return wrong(`${name} takes no names of files: --policy names the folder.`);
  }
  if (values.ip !== undefined && isIP(values.ip) === 0)
    return wrong(`--ip: ${quote(values.ip)} is no address.`);
  const common = { policy: values.policy, format: readFormat(values, name) };
  const environment = {
    at: values.at === undefined ? undefined : readTime(values.at, now, 'at'),
    ip: values.ip ?? '127.0.0.1',
  };
  switch (name) {
    case 'schema':
      return { kind: 'schema' };
    case 'check':
      return { kind: 'check', ...common };
    case 'explain': {
      const { as, tool, args: given } = values;
      if (as === undefined || tool === undefined) return wrong('explain needs --as and --tool.');
      return { kind: 'explain', as, target: tool, arguments: given, ...environment, ...common };
    }
    case 'matrix':
      return { kind: 'matrix', subject: readSubject(values, now), ...environment, ...common };
    case 'diff': {
      const [before, after, more] = words;
      if (before === undefined || after === undefined || more !== undefined) {
        return wrong('diff needs two folders, the old one and the new one.');
      }
      return { kind: 'diff', before, after, subject: readSubject(values, now), ...environment, ...common };
    }
    default: {
      const timeOf = (option: 'since' | 'until') =>
        values[option] === undefined ? undefined : readTime(values[option], now, option);
      const paths = [...words, ...(values.auditLog ?? [])];
      return { kind: 'replay', paths, since: timeOf('since'), until: timeOf('until'), ...common };
    }
  }
}

function readSubject({ as, roles, auditLog, since }: Values, now: Date): SubjectSelector {
  if ([as, roles, auditLog].filter((one) => one !== undefined).length > 1) {
    throw new Error('--as, --roles and --audit-log are different people: name one of them.');
  }
  if (since !== undefined && auditLog === undefined)
    throw new Error('--since has no effect without --audit-log.');
  if (as !== undefined) return { kind: 'named', as };
  if (auditLog) return { kind: 'audit-log', paths: auditLog, since: readTime(since ?? '30d', now, 'since') };
  return { kind: 'roles' };
}

function readFormat({ format, json }: Values, name: string): Format {
  const wanted = format ?? (json ? 'json' : 'text');
  const known = TABLES.includes(name) ? ['text', 'json', 'csv', 'html'] : ['text', 'json'];
  if (!known.includes(wanted)) throw new Error(`--format is ${known.join(', ')} for ${name}.`);
  return wanted as Format;
}

function wrong(message: string): Command {
  return { kind: 'wrong', message };
}
