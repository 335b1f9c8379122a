/** Parses a command line with commander; all errors become usage errors. */
import { CommanderError, type Command } from 'commander';
import {
  commandAt,
  lostOptions,
  rejectMissingValues,
  UsageError,
  usageMessage,
  type NpmVariables,
} from './usage.js';

/**
 * Runs the action of the named command.
 * @returns false after help or version.
 * @throws UsageError
 */
export function parseCommandLine(program: Command, args: readonly string[], npm: NpmVariables): boolean {
  configure(program);
  const lost = lostOptions(program, args, npm);
  if (lost !== undefined) throw new UsageError(lost);
  rejectMissingValues(commandAt(program, args), args);
  try {
    program.parse([...args], { from: 'user' });
    return true;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return false;
    throw error;
  }
}

/** Makes every command throw instead of printing and exiting. */
function configure(command: Command): void {
  command
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride((error) => {
      throw error.exitCode === 0 ? error : new UsageError(usageMessage(error, command));
    });
  command.commands.forEach(configure);
}
