/** Writes the generated pages of docs/reference, and `.env.example`. `--print` writes them to stdout as JSON (path: text) instead. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cliPage } from './cli.mjs';
import { configurationPage, envExample } from './configuration.mjs';
import { errorsPage } from './errors.mjs';
import { logEventsPage } from './log-events.mjs';
import { metricsPage } from './metrics.mjs';

const ROOT = join(import.meta.dirname, '../..');

const CLI = 'docs/reference/cli.md';
const CONFIGURATION = 'docs/reference/configuration.md';
const ERRORS = 'docs/reference/errors.md';
const METRICS = 'docs/reference/metrics.md';

const page = (path) => readFileSync(join(ROOT, path), 'utf8');

const pages = {
  '.env.example': envExample(),
  [CLI]: cliPage(page(CLI)),
  [CONFIGURATION]: configurationPage(page(CONFIGURATION)),
  [ERRORS]: errorsPage(page(ERRORS)),
  'docs/reference/log-events.md': logEventsPage(),
  [METRICS]: metricsPage(page(METRICS)),
};

if (process.argv.includes('--print')) process.stdout.write(JSON.stringify(pages));
else for (const [path, text] of Object.entries(pages)) writeFileSync(join(ROOT, path), text);
