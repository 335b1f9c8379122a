/** All commands of the program `mcp-gate`. Each command loads its code on demand. */
import { Command } from 'commander';
import { VERSION } from '../lib/version.js';
import { declareAudit } from './audit/command-line.js';
import { declareDoctor } from './doctor/command-line.js';
import { withExamples } from './help.js';
import { declarePolicy } from './policy/command-line.js';
import { declarePosture } from './posture/command-line.js';
import { declareRevoke } from './revoke/command-line.js';
import type { CommandContext, Work } from './run-command.js';
import { declareUpstreams } from './upstreams/command-line.js';

/** @returns the program without its commands. */
export function createProgram(): Command {
  const program = new Command('mcp-gate')
    .description('Runs and operates the gateway between AI agents and MCP tools.')
    .version(VERSION)
    .option('--env-file <file>', 'read variables from this file; default: .env, if it exists');
  withExamples(
    program,
    ['mcp-gate start', 'mcp-gate doctor', 'mcp-gate audit query --help'],
    'a check failed, or a difference was found',
  );
  return program;
}

/**
 * Adds the commands to the program.
 *
 * @param now the time that relative times such as `24h` count from
 * @param choose receives the work of the command that the command line names
 */
export function declareCommands(program: Command, now: Date, choose: (work: Work) => void): void {
  const command = (run: (context: CommandContext) => Promise<number>) => choose({ kind: 'command', run });

  const start = program
    .command('start')
    .description(
      'Starts the server. Exits with code 1 if it cannot start, or if its shutdown cut off requests.',
    )
    .action(() =>
      choose({
        kind: 'server',
        run: async (environment) => (await import('../start-server.js')).startServer(environment),
      }),
    );
  withExamples(start, ['mcp-gate start --env-file production.env']);
  declareDoctor(program, (request) =>
    command(async (context) => (await import('./doctor/run-doctor.js')).runDoctor(request, context)),
  );
  declareAudit(program, now, (request) =>
    command(async (context) => (await import('./audit/run-audit.js')).runAudit(request, context)),
  );
  declarePolicy(program, now, (request) =>
    command(async (context) => (await import('./policy/run-policy.js')).runPolicy(request, context)),
  );
  declareUpstreams(program, (request) =>
    command(async (context) => (await import('./upstreams/run-upstreams.js')).runUpstreams(request, context)),
  );
  declareRevoke(program, (request) =>
    command(async (context) => (await import('./revoke/run-revoke.js')).runRevoke(request, context)),
  );
  declarePosture(program, (request) =>
    command(async (context) => (await import('./posture/run-posture.js')).runPosture(request, context)),
  );
}
