/** Report as one HTML page without external resources. Pure. */
import { escaped, page, section, type Cell } from '../../lib/html-page.js';
import type { Summary } from './summary.js';

/** @param title question of the report. */
export function reportPage(summary: Summary, title: string): string {
  const { records, from, to, counts, outcomes, uses, refusals, unusedGrants, changes, isCut } = summary;
  const most = Math.max(1, ...uses.map(({ allowed, denied }) => allowed + denied));
  const failed = Object.entries(outcomes)
    .filter(([status]) => status !== 'ok')
    .reduce((sum, [, count]) => sum + count, 0);
  const body = `<p>${records} records, ${escaped(from ?? 'none')} to ${escaped(to ?? 'none')}</p>
${isCut ? '<p>The report counts a limited number of distinct users, tools and reasons; the rest are counted together.</p>' : ''}
<ul class="facts">
${fact(counts.allowed, 'calls allowed')}${fact(failed, 'of them failed')}${fact(counts.denied, 'requests denied')}${fact(counts.unauthenticated, 'of them unauthenticated')}${fact(counts.lists, 'lists shown')}
</ul>
${section(
  'Use by user and tool',
  ['User', 'Tool', 'Allowed', 'Denied', 'Failed', '', 'Last'],
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
  'Denials by reason',
  ['Reason', 'Target', 'User', 'Missing', 'Count', 'Last'],
  refusals.map((one) => [one.reason, one.tool ?? '', one.person ?? '', one.missing, one.count, one.last]),
)}
${section(
  'Unused grants',
  ['User', 'Scopes', 'Roles'],
  unusedGrants.map((one) => [one.person, one.scopes.join(' '), one.roles.join(' ')]),
)}
${section(
  'Changes',
  ['Time', 'Change'],
  changes.map((one) => [one.time, one.message]),
)}`;
  return page(title, body);
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
