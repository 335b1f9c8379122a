/** Shared parts of help texts. Pure. */
import type { Command } from 'commander';

export const JSON_OPTION = 'print the result as JSON';

/** Adds examples and the meaning of exit code 1 to the help of a command. */
export function withExamples(command: Command, examples: readonly string[], failed?: string): Command {
  const codes = [
    '0  ok',
    ...(failed === undefined ? [] : [`1  ${failed}`]),
    '2  wrong usage',
    '3  cannot run: configuration, file, network or database',
  ];
  return command
    .addHelpText('after', block('Examples:', examples))
    .addHelpText('after', block('Exit codes:', codes));
}

function block(title: string, lines: readonly string[]): string {
  return [`\n${title}`, ...lines.map((line) => `  ${line}`)].join('\n');
}
