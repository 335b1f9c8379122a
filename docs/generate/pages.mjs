/** Writes the generated pages of docs/reference. `--print` writes them to stdout as JSON (path: text) instead. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { logEventsPage } from './log-events.mjs';
import { metricsPage } from './metrics.mjs';

const ROOT = join(import.meta.dirname, '../..');

const METRICS = 'docs/reference/metrics.md';

const pages = {
  'docs/reference/log-events.md': logEventsPage(),
  [METRICS]: metricsPage(readFileSync(join(ROOT, METRICS), 'utf8')),
};

if (process.argv.includes('--print')) process.stdout.write(JSON.stringify(pages));
else for (const [path, text] of Object.entries(pages)) writeFileSync(join(ROOT, path), text);
