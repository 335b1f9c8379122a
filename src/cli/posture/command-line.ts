/** Command line of `mcp-gate posture`. */
import type { Command } from 'commander';
import { JSON_OPTION, withExamples } from '../help.js';
import { oneOf } from '../option-values.js';
import { LEVELS, type Level } from './controls.js';

export interface PostureRequest {
  /** Exit code 1 below this level. */
  readonly require: Level | undefined;
  readonly json: boolean;
}

export function declarePosture(program: Command, run: (request: PostureRequest) => void): void {
  const posture = program
    .command('posture')
    .description('Lists the protections of this configuration, and those that the next level needs.')
    .option('--require <level>', LEVELS.join(', '), oneOf('require', LEVELS))
    .option('--json', JSON_OPTION)
    .addHelpText(
      'after',
      '\n[x] on, [~] on and weakened by a setting, [ ] off; then the level that needs the protection, and the risks\n' +
        'of the OWASP MCP Top 10 that it reduces. docs/guides/harden-a-deployment.md documents the levels.',
    )
    .action(({ require, json = false }: { readonly require?: Level; readonly json?: boolean }) =>
      run({ require, json }),
    );
  withExamples(
    posture,
    ['mcp-gate posture', 'mcp-gate posture --require L3'],
    'the level is below --require',
  );
}
