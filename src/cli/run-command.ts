/** Shared runner of all commands: exit codes, errors, signals, closed pipes, progress. */
import type { Command } from 'commander';
import { constants } from 'node:os';
import { npmVariables, readEnvironment } from '../config/environment.js';
import type { Environment } from '../config/load-settings.js';
import { onOneLine } from '../lib/format-text.js';
import { parseCommandLine } from './parse-command-line.js';
import { Progress } from './progress.js';
import { commandAt, renderUsageError, UsageError } from './usage.js';

export const EXIT_OK = 0;
/** A check failed, a difference was found, or no record matches. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** Configuration, file or network. */
export const EXIT_CANNOT_RUN = 3;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Errors with a message for the operator; `Error` itself has one sentence. */
const FORESEEN = [
  'Error',
  'ConfigurationError',
  'DeclarationError',
  'PolicyError',
  'SourceError',
  'FileLockError',
];

/** Process context of a command. */
export interface CommandContext {
  /**
   * Variables of the process and of `.env` or `--env-file`.
   * @throws ConfigurationError
   */
  readonly environment: () => Environment;
  /** Resolves when stdout accepted the text. */
  readonly write: (text: string) => Promise<void>;
  /** Shown on a terminal after two seconds. */
  readonly progress: (activity: string) => void;
  /** Called before a signal ends the process. @returns a function that removes it. */
  readonly onInterrupt: (cleanUp: () => void) => () => void;
}

export type Work =
  /** Resolves to the exit code. */
  | { readonly kind: 'command'; readonly run: (context: CommandContext) => Promise<number> }
  /** Handles signals, errors and exit codes itself. */
  | { readonly kind: 'server'; readonly run: (environment: () => Environment) => Promise<void> };

/**
 * Parses the command line and runs the command.
 * @param declare adds commands; each selects its work when named.
 */
export async function runCommandLine(
  program: Command,
  args: readonly string[],
  declare: (choose: (work: Work) => void) => void,
): Promise<void> {
  const chosen: Work[] = [];
  declare((work) => chosen.push(work));
  const code = readCommandLine(program, args);
  const [work] = chosen;
  if (code !== undefined || work === undefined) {
    process.exitCode = code ?? EXIT_USAGE;
    return;
  }
  const { envFile } = program.opts<{ envFile?: string }>();
  const environment = () => readEnvironment(envFile);
  if (work.kind === 'server') return work.run(environment);
  await runWork(work.run, environment, (error) => reportError(error, program, args));
}

/** @returns an exit code without work: after help, or for wrong usage. */
function readCommandLine(program: Command, args: readonly string[]): number | undefined {
  try {
    return parseCommandLine(program, args, npmVariables()) ? undefined : EXIT_OK;
  } catch (error) {
    return reportError(error, program, args);
  }
}

/** Prints one sentence for known errors, and the stack of others without their fields. @returns the exit code. */
function reportError(error: unknown, program: Command, args: readonly string[]): number {
  if (error instanceof UsageError) {
    console.error(renderUsageError(error.message, commandAt(program, args), npmVariables()));
    return EXIT_USAGE;
  }
  const { message, name, stack } = error instanceof Error ? error : new Error('The command failed.');
  const text = FORESEEN.includes(name) ? message : (stack ?? message);
  console.error(text.split('\n').map(onOneLine).join('\n'));
  return EXIT_CANNOT_RUN;
}

async function runWork(
  work: (context: CommandContext) => Promise<number>,
  environment: () => Environment,
  report: (error: unknown) => number,
): Promise<void> {
  // Timers do not keep the process alive; an early exit must not look successful.
  process.exitCode = EXIT_CANNOT_RUN;
  setInterval(() => undefined, 60_000);
  // A closed reader (head, less) is not an error.
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    process.exit(code === 'EPIPE' ? EXIT_OK : EXIT_CANNOT_RUN);
  });
  process.stderr.on('error', () => undefined);
  const cleanUps = new Set<() => void>();
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      cleanUps.forEach((cleanUp) => cleanUp());
      process.exit(128 + constants.signals[signal]);
    });
  }
  const progress = new Progress(process.stderr);
  const context: CommandContext = {
    environment,
    write,
    progress: (activity) => progress.report(activity),
    onInterrupt: (cleanUp) => {
      cleanUps.add(cleanUp);
      return () => cleanUps.delete(cleanUp);
    },
  };
  const code = await work(context).catch(report);
  progress.stop();
  // Connections to an issuer stay open for seconds.
  process.exit(code);
}

function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
