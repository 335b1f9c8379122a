/** Arguments, options, examples and exit codes of each command, from the declarations in src/cli. */
import 'reflect-metadata';
import { createProgram, declareCommands } from '../../dist/cli/declare-commands.js';
import { cell, replaceGenerated } from './markdown.mjs';

/** @param text the page; the lines between its two markers are replaced. */
export function cliPage(text) {
  const program = createProgram();
  declareCommands(program, new Date(0), () => undefined);
  const sections = leaves(program).map(section);
  return replaceGenerated(text, 'commands', sections.join('\n').trimEnd());
}

function leaves(command) {
  return command.commands.flatMap((one) => (one.commands.length > 0 ? leaves(one) : [one]));
}

function section(command) {
  const args = command.registeredArguments.map((one) => {
    const name = `${one.name()}${one.variadic ? '...' : ''}`;
    return [one.required ? `<${name}>` : `[${name}]`, one];
  });
  const options = command.options.map((one) => [one.flags, one]);
  const rows = [...args, ...options].map(([name, one]) => {
    const value =
      one.defaultValue === undefined || one.defaultValue === false ? '–' : `\`${one.defaultValue}\``;
    const meaning = `${one.description}${one.mandatory ? ' (required)' : ''}` || '–';
    return `| \`${cell(name)}\` | ${value} | ${cell(meaning)} |`;
  });
  const table = `| argument or option | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
  return [
    `### ${path(command)}`,
    `${command.description()}\n`,
    ...(rows.length > 0 ? [table] : []),
    `\`\`\`text\n${help(command)}\n\`\`\`\n`,
  ].join('\n');
}

/** The notes, examples and exit codes behind the options. */
function help(command) {
  let text = '';
  command.emit('afterHelp', { error: false, command, write: (part) => (text += part) });
  return text.trim();
}

function path(command) {
  const parent = command.parent?.parent ? `${path(command.parent)} ` : '';
  return `${parent}${command.name()}`;
}
