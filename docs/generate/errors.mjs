/** Table of the reasons, from the definitions in src/core/reason-definitions.ts. */
import { REASON_DEFINITIONS } from '../../dist/core/reason-definitions.js';
import { replaceGenerated } from './markdown.mjs';

/** @param text the page; the lines between its two markers are replaced. */
export function errorsPage(text) {
  const rows = Object.entries(REASON_DEFINITIONS).map(
    ([name, { status, code, challenge = '–', meaning, remedy }]) =>
      `| \`${name}\` | ${status.join(', ')} | ${code.join(', ')} | ${challenge} | ${meaning} | ${remedy} |`,
  );
  const head = '| reason | HTTP | JSON-RPC | challenge | meaning | remedy |\n|---|--:|--:|---|---|---|';
  return replaceGenerated(text, 'reasons', `${head}\n${rows.join('\n')}`);
}
