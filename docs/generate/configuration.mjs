/** Tables of the variables and `.env.example`, from the definitions in src/config/variable-definitions.ts. */
import { VARIABLE_DEFINITIONS } from '../../dist/config/variable-definitions.js';
import { replaceGenerated } from './markdown.mjs';

/** Lines of `.env.example` without `#`: the minimum of a first start. */
const SET = ['AUTH_ISSUER', 'TOOL_ALLOW_LIST', 'EXAMPLE_TOOLS'];

/** @param text the page; the lines between its two markers are replaced. */
export function configurationPage(text) {
  const sections = Object.entries(VARIABLE_DEFINITIONS).map(([group, variables]) => {
    const rows = Object.entries(variables).map(row);
    return `## ${group}\n| variable | type | default | meaning | example |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return replaceGenerated(text, 'variables', sections.join('\n').trimEnd());
}

function row([name, one]) {
  const fallback = one.default === undefined ? one.derived : `\`${one.default}\``;
  const required = one.required && `required${one.required === true ? '' : ` ${one.required}`}`;
  const defaults = [fallback, required].filter(Boolean).join('; ') || '–';
  const meaning = one.file ? `${one.meaning} \`${name}_FILE\` can name a file with the value.` : one.meaning;
  const example = one.example ? `\`${one.example}\`` : '–';
  return `| \`${name}\` | ${one.type} | ${defaults} | ${meaning} | ${example} |`;
}

export function envExample() {
  const sections = Object.entries(VARIABLE_DEFINITIONS).map(
    ([group, variables]) => `# --- ${group} ---\n${Object.entries(variables).map(lines).join('\n')}`,
  );
  return `# All variables of the server. Copy this file to .env and set AUTH_ISSUER and TOOL_ALLOW_LIST.
# A commented line shows the default, or an example if no default is named.
# An empty value is an error: omit the variable to use its default.
# Types, links and the format of this file: docs/reference/configuration.md.

${sections.join('\n\n')}
`;
}

function lines([name, one]) {
  const required = one.required && `Required${one.required === true ? '' : ` ${one.required}`}.`;
  const derived = one.derived && `Default: ${one.derived}.`;
  const type = /^(boolean|file|folder|URL|host)$/.test(one.type)
    ? undefined
    : `Values: ${one.type === 'list' ? 'list, comma-separated' : one.type}.`;
  const text = [one.meaning, type, required, derived].filter(Boolean).join(' ');
  const value = SET.includes(name) ? one.example : (one.default ?? one.example);
  return `${wrap(text)}\n${SET.includes(name) ? '' : '# '}${name}=${value}`;
}

/** Comment lines of at most 110 characters, without Markdown. */
function wrap(text) {
  const plain = text
    .replace(/ \(\[[^\]]+\]\([^)]+\)\)/g, '')
    .replace(/\[([^\]]+)\]\([^)]+\)/g, '$1')
    .replaceAll('`', '');
  return plain.replace(/(.{1,108})(?: |$)/g, '# $1\n').trimEnd();
}
