/** Compares the generated reference pages with the definitions in the code. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSettings } from '../src/config/load-settings.js';
import { VARIABLE_DEFINITIONS, type VariableDefinition } from '../src/config/variable-definitions.js';
import { VARIABLE_NAMES } from '../src/config/variables.js';
import { LOG_EVENTS } from '../src/core/log-events.js';
import { REASON_DEFINITIONS, type ReasonDefinition } from '../src/core/reason-definitions.js';
import { REASONS, type Reason } from '../src/core/reasons.js';

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

describe('definitions of the variables', () => {
  const definitions = Object.values<Record<string, VariableDefinition>>(VARIABLE_DEFINITIONS).flatMap(
    (group) => Object.entries(group),
  );
  // METRICS_HOST and OTEL_ variables are errors without METRICS_PORT and the endpoint.
  const required = {
    AUTH_ISSUER: 'https://issuer.example.com',
    TOOL_ALLOW_LIST: '*',
    METRICS_PORT: '9464',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otlp.example.com',
  };
  const load = (env: Record<string, string>) => loadSettings({ ...required, ...env }, () => '');
  const defaults = definitions.flatMap(([name, one]) =>
    one.default === undefined ? [] : [[name, one.default] as const],
  );

  it('exist once for each variable', () => {
    expect(definitions.map(([name]) => name).toSorted()).toEqual(VARIABLE_NAMES.toSorted());
  });

  it('have an example or a literal default', () => {
    expect(definitions.filter(([, one]) => (one.default ?? one.example) === undefined)).toEqual([]);
  });

  it('announce NAME_FILE exactly where that variable exists', () => {
    const names: readonly string[] = VARIABLE_NAMES;
    const announced = definitions.filter(([, one]) => one.file).map(([name]) => name);
    expect(announced).toEqual(names.filter((name) => names.includes(`${name}_FILE`)));
  });

  it.each(defaults)('%s has the documented default %s', (name, value) => {
    expect({ ...load({ [name]: value }), notices: [] }).toEqual({ ...load({}), notices: [] });
  });
});

describe('definitions of the reasons', () => {
  const cases = JSON.parse(readFileSync(join(ROOT, 'test/cases/reason-cases.json'), 'utf8')) as readonly {
    readonly name: string;
    readonly reason: Reason;
    readonly answer: {
      readonly status: number;
      readonly code: number;
      readonly challenge: string | null;
    };
  }[];
  const definitions: Readonly<Record<Reason, ReasonDefinition>> = REASON_DEFINITIONS;

  it('exist once for each reason', () => {
    expect(Object.keys(definitions).toSorted()).toEqual(REASONS.toSorted());
  });

  it.each(cases.map((one) => [one.name, one] as const))('agree with the response to %s', (_, one) => {
    const { status, code, challenge } = definitions[one.reason];
    expect(status).toContain(one.answer.status);
    expect(code).toContain(one.answer.code);
    // A malformed request has a challenge only for a faulty credential.
    if (one.reason === 'request_malformed') return;
    const named = /error="([^"]+)"/.exec(one.answer.challenge ?? '')?.[1] ?? 'scope';
    expect(challenge ?? null).toEqual(one.answer.challenge && expect.stringContaining(named));
  });
});
