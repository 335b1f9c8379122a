/** Command line of `mcp-gate doctor`. */
import type { Command } from 'commander';
import { JSON_OPTION, withExamples } from '../help.js';
import { optionSuggestion, UsageError } from '../usage.js';

export type DoctorRequest =
  | { readonly kind: 'configuration' | 'start'; readonly json: boolean }
  /** Undefined: the token comes from stdin. */
  | { readonly kind: 'token'; readonly json: boolean; readonly token: string | undefined };

interface DoctorOptions {
  readonly config?: boolean;
  readonly start?: boolean;
  readonly json?: boolean;
}

/** Messages never repeat an argument: it may be a token. */
export function declareDoctor(program: Command, run: (request: DoctorRequest) => void): void {
  const doctor = program
    .command('doctor')
    .summary('Explains why a token is rejected, or which settings are wrong.')
    .description(
      'Explains why a token is rejected, or which settings are wrong, and names the remedy. ' +
        'Opens no port, no database and no audit log. Never prints the token.',
    )
    .argument('[token...]', '- for a token on stdin; a token as argument is visible to other processes')
    .option('--config', 'check the configuration, and the metadata and keys of every issuer (default)')
    .option('--start', 'check whether the server would start; contacts no issuer')
    .option('--json', JSON_OPTION)
    .allowUnknownOption()
    .action((words: string[], options: DoctorOptions, command: Command) =>
      run(readRequest(words, options, command)),
    );
  withExamples(
    doctor,
    [
      'mcp-gate doctor',
      'mcp-gate doctor --start',
      'pbpaste | mcp-gate doctor -',
      'mcp-gate doctor --json - < token',
    ],
    'the token is rejected, or the configuration has an error',
  );
}

function readRequest(words: readonly string[], options: DoctorOptions, command: Command): DoctorRequest {
  const unknown = words.find((word) => /^-./.test(word));
  if (unknown !== undefined) {
    throw new UsageError(`Unknown option.${optionSuggestion(unknown, command)}`);
  }
  const { config = false, start = false, json = false } = options;
  if (config && start) throw new UsageError('Either --config or --start, not both.');
  if (words.length === 0) return { kind: start ? 'start' : 'configuration', json };
  if (config || start)
    throw new UsageError(`${config ? '--config' : '--start'} and a token exclude each other.`);
  if (words.includes('-') && words.length > 1) {
    throw new UsageError('- (token on stdin) and a token argument exclude each other.');
  }
  // Unquoted "Bearer TOKEN" is two arguments.
  if (words.length > 1 && !(words.length === 2 && /^(bearer|dpop)$/i.test(words[0] as string))) {
    throw new UsageError('Give exactly one token.');
  }
  return { kind: 'token', json, token: words[0] === '-' ? undefined : words.join(' ') };
}
