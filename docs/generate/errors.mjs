/** Table of the reasons, from the definitions in src/core/reason-definitions.ts. */
import { REASON_DEFINITIONS } from '../../dist/core/reason-definitions.js';

const BEGIN = '<!-- generated: reasons -->\n';
const END = '<!-- end -->';

/** @param text the page; the lines between its two markers are replaced. */
export function errorsPage(text) {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`docs/reference/errors.md lacks ${BEGIN.trim()} or ${END}`);
  const rows = Object.entries(REASON_DEFINITIONS).map(
    ([name, { status, code, challenge = '–', meaning, remedy }]) =>
      `| \`${name}\` | ${status.join(', ')} | ${code.join(', ')} | ${challenge} | ${meaning} | ${remedy} |`,
  );
  const head = '| reason | HTTP | JSON-RPC | challenge | meaning | remedy |\n|---|--:|--:|---|---|---|';
  return `${text.slice(0, from)}${BEGIN}\n${head}\n${rows.join('\n')}\n\n${text.slice(to)}`;
}
