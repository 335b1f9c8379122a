/** A page of tables without external resources: no script, font or image. Pure. */
import { escapeControlChars } from './format-text.js';

const STYLE = `
:root{--ink:#1a1f24;--soft:#5b6670;--line:#d9dee3;--ground:#fff;--bar:#3a6ea5;--bad:#a53a3a}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5af;--line:#343c44;--ground:#14181c;--bar:#6fa3d8;--bad:#e08080}}
body{margin:2rem auto;max-width:72rem;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{color:var(--soft);margin:.25rem 0}
.facts{display:flex;flex-wrap:wrap;gap:1rem;margin:1.5rem 0;padding:0;list-style:none}
.facts li{flex:1 1 9rem;border:1px solid var(--line);border-radius:6px;padding:.75rem 1rem}
.facts b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;color:var(--soft);white-space:nowrap}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{display:inline-block;height:.6rem;background:var(--bar);border-radius:2px;min-width:1px}.bad{background:var(--bad)}
@media print{body{margin:0;max-width:none}}
`.trim();

/** Rows of one table; further rows are counted. */
const MAX_ROWS = 1_000;

export type Cell = string | number | { readonly html: string };

/** @param body safe HTML, made of {@link escaped} texts. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
${body}
</main>
</body>
</html>
`;
}

export function section(title: string, heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const heading = `<h2>${escaped(title)}</h2>`;
  if (rows.length === 0) return `${heading}<p>none</p>`;
  const head = heads.map((text) => `<th scope="col">${escaped(text)}</th>`).join('');
  const shown = rows.slice(0, MAX_ROWS);
  const more = rows.length > shown.length ? `<p>and ${rows.length - shown.length} more</p>` : '';
  const body = shown.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n');
  return `${heading}<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>${more}`;
}

function cell(value: Cell): string {
  if (typeof value === 'number') return `<td class="n">${value}</td>`;
  return `<td>${typeof value === 'string' ? escaped(value) : value.html}</td>`;
}

/** Invisible characters are escaped too: they can mislead a reader. */
export function escaped(text: string): string {
  return escapeControlChars(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
