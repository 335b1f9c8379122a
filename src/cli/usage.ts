/** Usage errors of the commands, and options that `npm run` kept for itself because no `--` came before them. Pure. */
import { nearNames } from '../lib/similar-names.js';
import { onOneLine } from '../lib/format-text.js';

/** As `parseArgs` of Node takes them. */
export type Options = Readonly<
  Record<
    string,
    { readonly type: 'string' | 'boolean'; readonly short?: string; readonly multiple?: boolean }
  >
>;

/** What a command is called in `package.json`, and what it takes. */
export interface CommandUsage {
  readonly script: string;
  readonly options: Options;
}

/** The exit code of wrong usage. */
export const WRONG_USAGE = 2;

/** npm takes the beginning of a name of its own options for that option (npm 11). */
const TAKEN_FOR: Readonly<Record<string, string>> = { token: 'token_description', by: 'bypass_2fa' };

/** Two lines: the error, and where the help is. */
export function usageError({ script }: CommandUsage, message: string): string {
  return `${onOneLine(message)}\nHelp: npm run ${script} -- --help`;
}

/**
 * Options that stood before `--`: npm takes them for its own, gives the command only what is left, and says no more
 * than a warning. Some of npm's own names (`--format`, `--key`) leave no trace.
 * @param args what npm left of the command line.
 * @param npm the variables `npm_*` of the process; empty where npm did not start it.
 * @returns what to write in their place; undefined where no option was lost.
 */
export function lostOptions(
  { script, options }: CommandUsage,
  args: readonly string[],
  npm: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (npm.npm_lifecycle_event !== script) return undefined;
  const lost = Object.keys(options).filter(
    (name) =>
      name !== 'help' && isSet(npm, name, options) && !args.some((arg) => arg.split('=')[0] === `--${name}`),
  );
  if (lost.length === 0) return undefined;
  const listed = lost.map((name) => `--${name}`);
  const written = lost.map((name) => `--${name}${options[name]?.type === 'string' ? ' …' : ''}`);
  return `npm took ${listed.join(', ')} for itself: options of the command go after "--". Write: npm run ${script} -- … ${written.join(' ')}`;
}

/** @returns the message for an error of `parseArgs`, or of a rule of the command. */
export function argumentError(error: unknown, options: Options): string {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const option = /'(-{0,2}[^'\s=]*)/.exec(message)?.[1] ?? '';
    const [near] = nearNames(option.replace(/^-+/, ''), Object.keys(options));
    return `Unknown option ${option}.${near === undefined ? '' : ` Did you mean --${near}?`}`;
  }
  // Of several lines the first one says what is wrong.
  return message.split('\n')[0] as string;
}

function isSet(npm: Readonly<Record<string, string | undefined>>, name: string, options: Options): boolean {
  const own = npm[`npm_config_${name.replaceAll('-', '_')}`];
  const other = TAKEN_FOR[name] === undefined ? undefined : npm[`npm_config_${TAKEN_FOR[name]}`];
  const isLost = (value: string | undefined) =>
    options[name]?.type === 'string' ? value !== undefined : value !== undefined && value !== '';
  return isLost(own) || (other !== undefined && other !== '');
}
