/** Arguments, options, examples and exit codes of each command, from the declarations in src/cli. */
import 'reflect-metadata';
import { Command } from 'commander';
import { declareAudit } from '../../dist/cli/audit/command-line.js';
import { declareDoctor } from '../../dist/cli/doctor/command-line.js';
import { declarePolicy } from '../../dist/cli/policy/command-line.js';
import { declarePosture } from '../../dist/cli/posture/command-line.js';
import { declareRevoke } from '../../dist/cli/revoke/command-line.js';
import { declareUpstreams } from '../../dist/cli/upstreams/command-line.js';
import { cell, replaceGenerated } from './markdown.mjs';

/** @param text the page; the lines between its two markers are replaced. */
export function cliPage(text) {
  const program = new Command('mcp-gate');
  const now = new Date(0);
  const ignore = () => undefined;
  declareDoctor(program, ignore);
  declareAudit(program, now, ignore);
  declarePolicy(program, now, ignore);
  declareUpstreams(program, ignore);
  declareRevoke(program, ignore);
  declarePosture(program, ignore);
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
