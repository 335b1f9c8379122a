/** The report as one page of HTML that needs nothing from anywhere. Pure. */
import { visible } from '../common/show.js';
import type { Summary } from './summary.js';

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

type Cell = string | number | { readonly html: string };

/** @param title what was asked, for the heading. */
export function reportPage(summary: Summary, title: string): string {
  const { records, from, to, counts, outcomes, uses, refusals, unusedGrants, changes, isCut } = summary;
  const most = Math.max(1, ...uses.map(({ allowed, denied }) => allowed + denied));
  const failed = Object.entries(outcomes)
    .filter(([status]) => status !== 'ok')
    .reduce((sum, [, count]) => sum + count, 0);
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
<p>${records} records, ${escaped(from ?? 'none')} to ${escaped(to ?? 'none')}</p>
${isCut ? '<p>There were more different people, tools or reasons than are counted one by one.</p>' : ''}
<ul class="facts">
${fact(counts.allowed, 'calls allowed')}${fact(failed, 'of them did not end well')}${fact(counts.denied, 'requests refused')}${fact(counts.unauthenticated, 'of them before anybody was known')}${fact(counts.lists, 'lists shown')}
</ul>
${section(
  'Who used what',
  ['Person', 'Tool', 'Allowed', 'Refused', 'Failed', '', 'Last'],
  uses.map((use) => [
    use.person,
    use.tool,
    use.allowed,
    use.denied,
    use.failed,
    bars(use.allowed, use.denied, most),
    use.last,
  ]),
)}
${section(
  'What was refused, and why',
  ['Reason', 'What', 'Person', 'Missing', 'Times', 'Last'],
  refusals.map((one) => [one.reason, one.tool ?? '', one.person ?? '', one.missing, one.count, one.last]),
)}
${section(
  'Grants that were never used',
  ['Person', 'Scopes', 'Roles'],
  unusedGrants.map((one) => [one.person, one.scopes.join(' '), one.roles.join(' ')]),
)}
${section(
  'Changes',
  ['Time', 'What'],
  changes.map((one) => [one.time, one.says]),
)}
</main>
</body>
</html>
`;
}

function fact(count: number, what: string): string {
  return `<li><b>${count}</b>${escaped(what)}</li>`;
}

function bars(allowed: number, denied: number, most: number): Cell {
  const width = (count: number) => `${((count / most) * 8).toFixed(2)}rem`;
  return {
    html: `<span class="bar" style="width:${width(allowed)}" title="allowed"></span><span class="bar bad" style="width:${width(denied)}" title="refused"></span>`,
  };
}

function section(title: string, heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const heading = `<h2>${escaped(title)}</h2>`;
  if (rows.length === 0) return `${heading}<p>none</p>`;
  const head = heads.map((text) => `<th scope="col">${escaped(text)}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n');
  return `${heading}<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function cell(value: Cell): string {
  if (typeof value === 'number') return `<td class="n">${value}</td>`;
  return `<td>${typeof value === 'string' ? escaped(value) : value.html}</td>`;
}

/** What cannot be seen is made visible too: a page can mislead as a terminal can. */
function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
