/** Compares the generated reference pages with the definitions in the code. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSettings } from '../src/config/load-settings.js';
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

describe('docs/reference/configuration.md', () => {
  const page = readFileSync(join(ROOT, 'docs/reference/configuration.md'), 'utf8');
  const required = {
    AUTH_ISSUER: 'https://issuer.example.com',
    TOOL_ALLOW_LIST: '*',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otlp.example.com',
  };
  const load = (env: Record<string, string>) => loadSettings({ ...required, ...env }, () => '');
  // Rows with one literal default for each variable. UPSTREAM_PINS_FILE is valid with UPSTREAMS_FILE alone.
  const defaults = [...page.matchAll(/^\| (`[A-Z][^|]*) \| (`[^|]*`) \|/gm)].flatMap(([, left, right]) => {
    const [names, values] = [left, right].map((cell = '') => cell.split(', '));
    const literal = names?.length === values?.length && values?.every((value) => /^`[^`]+`$/.test(value));
    if (!names || !values || !literal) return [];
    return names.map((name, at): [string, string] => [name.slice(1, -1), values[at]?.slice(1, -1) ?? '']);
  });

  it('has literal defaults to compare', () => {
    expect(defaults.length).toBeGreaterThan(20);
  });

  it.each(defaults.filter(([name]) => name !== 'UPSTREAM_PINS_FILE'))(
    '%s has the documented default %s',
    (name, value) => {
      expect({ ...load({ [name]: value.replace('DATA_DIR', './data') }), notices: [] }).toEqual({
        ...load({}),
        notices: [],
      });
    },
  );
});
