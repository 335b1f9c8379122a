/** Compares the generated reference pages with the definitions in the code. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOG_EVENTS } from '../src/core/log-events.js';

const ROOT = join(__dirname, '..');
const GENERATOR = join(ROOT, 'docs/generate/pages.mjs');
const pages = JSON.parse(
  execFileSync(process.execPath, [GENERATOR, '--print'], { encoding: 'utf8' }),
) as Record<string, string>;

describe('generated reference pages', () => {
  it.each(Object.keys(pages))('%s agrees with the code', (path) => {
    const file = join(ROOT, path);
    const stale = !existsSync(file) || readFileSync(file, 'utf8') !== pages[path];
    expect(stale ? `${path} is stale: run npm run docs:generate` : 'current').toBe('current');
  });

  it('contain one row for each log event', () => {
    const rows = [...(pages['docs/reference/log-events.md'] ?? '').matchAll(/^\| `([^`]+)`/gm)];
    expect(rows.map(([, name]) => name)).toEqual(Object.keys(LOG_EVENTS).toSorted());
  });
});
