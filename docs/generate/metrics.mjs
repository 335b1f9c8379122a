/** Table of the metrics, from the collectors that src/operations/metrics/metrics.ts registers. */
import 'reflect-metadata';
import { Metrics } from '../../dist/operations/metrics/metrics.js';
import { replaceGenerated } from './markdown.mjs';

/** @param text the page; the lines between its two markers are replaced. */
export function metricsPage(text) {
  return replaceGenerated(text, 'metrics', table());
}

function table() {
  // Gauges read the services only when they are scraped.
  const { registry } = new Metrics();
  const rows = registry
    .getMetricsAsArray()
    .filter(({ name }) => !/^(process|nodejs)_/.test(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, help, labelNames = [] }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ') || '–';
      return `| \`${name}\` | ${type} | ${labels} | ${name.endsWith('_seconds') ? 'seconds' : '–'} | ${help} |`;
    });
  registry.clear();
  return `| metric | type | labels | unit | help |\n|---|---|---|---|---|\n${rows.join('\n')}`;
}
