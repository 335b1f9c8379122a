/** Compares the documentation with the code: links, names, and the configuration in its examples. */
import type { JWSHeaderParameters } from 'jose';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkAudience, checkTokenKind, checkType } from '../src/auth/verify/check-token.js';
import { claimsToPrincipal } from '../src/auth/verify/claims-to-principal.js';
import type { Claims } from '../src/auth/presets/presets.js';
import { loadSettings } from '../src/config/load-settings.js';
import type { Settings } from '../src/config/settings.js';
import { readSignalsFile } from '../src/config/signals-file.js';
import { readSinksFile } from '../src/config/sinks-file.js';
import { readUpstreamsFile } from '../src/config/upstreams-file.js';
import { readPolicyFile } from '../src/policy/policy-file.js';
import { codeBlocks, PAGES, readPage } from './support/documents.js';

const ROOT = join(__dirname, '..');
const PROVIDERS = 'docs/guides/providers/';
const BASE = { PUBLIC_URL: 'https://gate.example.com', TRUST_PROXY: '127.0.0.1', TOOL_ALLOW_LIST: '*' };

const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

const text = PAGES.map(readPage).join('\n');
const blocks = PAGES.flatMap(codeBlocks);
const written = (language: string) =>
  blocks.filter((block) => block.language === language).map((block) => [block.page, block.text] as const);

/** First members of a YAML block, for each kind of file. A block of a kind without a loader is not checked. */
const KINDS = {
  identity: ['issuers', 'dpop_nonce_secret_file', 'client_certificate_header'],
  sinks: ['sinks'],
  signals: ['transmitters'],
  upstreams: ['upstreams'],
  policy: ['author', 'mode', 'allow_list', 'list', 'time_zone', 'scope_implies', 'rates', 'rules', 'shadow'],
  alerts: ['alert', 'groups'],
  containers: ['services', 'apiVersion', 'image', 'replicas', 'publicUrl', 'settings', 'database'],
} as const;

/** The first member of a YAML block, after its comments. */
function firstMember(text: string): string {
  return /^(?:\s*(?:#[^\n]*)?\n)*\s*(?:- (?:\{ )?)?([\w-]+):/.exec(text)?.[1] ?? '';
}

const yamlOf = (kind: keyof typeof KINDS) =>
  written('yaml').filter(([, text]) => (KINDS[kind] as readonly string[]).includes(firstMember(text)));

const isOneOf = (values: readonly unknown[]) => (value: unknown) => values.includes(value);

function load(identity: string): Settings {
  const read = (path: string) =>
    path === '/identity.yaml' ? identity : path.endsWith('.pem') ? PEM : 'a secret of at least 32 characters';
  return loadSettings({ ...BASE, TRUST_PROXY: '10.0.0.0/8', IDENTITY_FILE: '/identity.yaml' }, read);
}

it('shows YAML of known kinds only', () => {
  const known: readonly string[] = Object.values(KINDS).flat();
  expect(written('yaml').filter(([, text]) => !known.includes(firstMember(text)))).toEqual([]);
});

it.each(yamlOf('identity'))('%s: the identity file loads', (_, text) => {
  expect(load(text).auth.issuers.length).toBeGreaterThan(0);
});

it.each(yamlOf('sinks'))('%s: the sinks file loads', (_, text) => {
  const faults: string[] = [];
  const sinks = readSinksFile('/sinks.yaml', (path) => (path === '/sinks.yaml' ? text : 'secret'), faults);
  expect(faults).toEqual([]);
  expect(sinks.length).toBeGreaterThan(0);
});

it.each(yamlOf('signals'))('%s: the signals file loads', (_, text) => {
  const faults: string[] = [];
  const { issuers } = load('issuers: [{ issuer: https://login.example.com }]').auth;
  const read = (path: string) => (path === '/signals.yaml' ? text : `Bearer ${'x'.repeat(32)}`);
  const transmitters = readSignalsFile('/signals.yaml', issuers, read, faults);
  expect(faults).toEqual([]);
  expect(transmitters.length).toBeGreaterThan(0);
});

it.each(yamlOf('upstreams'))('%s: the upstreams file loads', (_, text) => {
  const faults: string[] = [];
  const read = (path: string) =>
    path.endsWith('.yaml') ? text : path.endsWith('.pem') ? PEM : 'x'.repeat(32);
  const upstreams = readUpstreamsFile('/upstreams.yaml', read, faults);
  expect(faults).toEqual([]);
  expect(upstreams.length).toBeGreaterThan(0);
});

it.each(yamlOf('policy'))('%s: the policy file loads', (_, text) => {
  const faults: string[] = [];
  expect(readPolicyFile(text, faults)).toBeDefined();
  expect(faults).toEqual([]);
});

it.each(written('sh').filter(([, text]) => /^AUTH_\w+=\S*$/m.exec(text)?.index === 0))(
  '%s: the AUTH_ variables load',
  (_, text) => {
    const env = Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split('=') as [string, string]),
    );
    expect(loadSettings({ ...BASE, ...env }, () => '').auth.issuers).toHaveLength(1);
  },
);

it.each(
  PAGES.filter((page) => page.startsWith(PROVIDERS) && !page.endsWith('README.md')).map((page) => [
    page.slice(PROVIDERS.length),
    page,
  ]),
)('%s: the settings accept the token of the page', (name, page) => {
  const own = codeBlocks(page);
  const [, header = '', payload = ''] =
    /^(\{[^\n]*\})\n(.*)$/s.exec(own.find(({ language }) => language === 'json')?.text ?? '') ?? [];
  const claims = JSON.parse(payload) as Claims;
  const principals = own
    .filter(({ language }) => language === 'yaml')
    .flatMap(({ text }) => load(text).auth.issuers)
    .filter(({ issuer, audience }) => issuer === claims.iss && [claims.aud].flat().some(isOneOf(audience)))
    .map((settings) => {
      checkType(JSON.parse(header) as JWSHeaderParameters, settings);
      checkAudience(claims, settings);
      checkTokenKind(claims, settings);
      return claimsToPrincipal(claims, settings);
    });
  const isGoogle = name === 'google.md';
  expect(principals.length).toBeGreaterThan(0);
  expect(new Set(principals.map(({ kind }) => kind))).toEqual(new Set([isGoogle ? 'workload' : 'human']));
  expect(principals.some(({ roles }) => roles.length > 0)).toBe(true);
  expect(principals.some(({ scopes }) => scopes.includes('database.read'))).toBe(!isGoogle);
});

it('links to files that exist', () => {
  for (const page of PAGES) {
    const links = [...readPage(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path as string);
    expect(links.filter((link) => !existsSync(join(ROOT, page, '..', link)))).toEqual([]);
  }
});

it('names npm scripts that exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const named = [...text.matchAll(/npm run ([a-z][\w:-]*)/g)].map(([, name]) => name as string);
  expect(named.length).toBeGreaterThan(20);
  expect([...new Set(named)].filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});

it('names files of the repository that exist', () => {
  const named = [...text.matchAll(/`((?:src|test|bench|demo|deploy)\/[\w./-]*\w)`/g)].map(
    ([, path]) => path as string,
  );
  expect(named.length).toBeGreaterThan(10);
  expect([...new Set(named)].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

it('names metrics that the server has', () => {
  const declared = readFileSync(join(ROOT, 'src/operations/metrics/metrics.ts'), 'utf8');
  const named = [...text.matchAll(/\b(gate_[a-z_]+[a-z])\b/g)].map(([, name]) => name as string);
  expect(named.length).toBeGreaterThan(10);
  const missing = [...new Set(named)].filter(
    (name) => !declared.includes(`'${name.replace(/_(bucket|sum|count)$/, '')}'`),
  );
  expect(missing).toEqual([]);
});
