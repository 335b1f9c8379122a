/** The picture of the house, held against the imports; and claims of the repository about itself. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { VARIABLE_NAMES, Variables } from '../src/config/variables.js';
import { getMetadataStorage } from 'class-validator';

const ROOT = join(__dirname, '..');
const SRC = join(ROOT, 'src');

/** A may import B, and nothing else of this project. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  common: [],
  config: ['common'],
  cli: ['common'],
  auth: ['config', 'common'],
  policy: ['config', 'common'],
  // The operator's policy puts tools into classes of rates.
  // What instances count together is in the database, and on record where it is not; a proof is counted once, too.
  limits: ['auth', 'policy', 'storage', 'audit', 'config', 'common'],
  audit: ['config', 'common'],
  storage: ['config', 'common'],
  // The registry holds what the operator's allow-list names against what there is.
  tools: ['policy', 'config', 'common'],
  // The issuer's metadata is fetched in one place only, for tokens and for clients alike.
  // What a client should ask for first is what the policy in force says.
  discovery: ['policy', 'auth', 'config', 'common'],
  examples: ['tools', 'policy', 'storage', 'config', 'common'],
  revocation: ['storage', 'audit', 'config', 'common'],
  revoker: ['outbound', 'cli', 'admin', 'auditor', 'audit', 'revocation', 'storage', 'config', 'common'],
  admin: ['revocation', 'config', 'common'],
  // Tokens of transmitters are verified with what verifies those of issuers, and end as revocations.
  signals: ['revocation', 'limits', 'auth', 'audit', 'config', 'common'],
  // Tools of other servers: decided about like our own, and called with credentials of the gate's.
  upstreams: ['auth', 'policy', 'tools', 'audit', 'config', 'common'],
  curator: ['outbound', 'cli', 'upstreams', 'tools', 'policy', 'audit', 'config', 'common'],
  mcp: ['upstreams', 'revocation', 'auth', 'policy', 'tools', 'audit', 'config', 'common'],
  // Requests of `fetch` find the proxies by themselves; others ask for an agent.
  outbound: ['config', 'common'],
  sinks: ['outbound', 'audit', 'config', 'common'],
  // A change of the policy is on record before it decides.
  reload: ['policy', 'audit', 'config', 'common'],
  lifecycle: [],
  health: [
    'upstreams',
    'lifecycle',
    'limits',
    'revocation',
    'auth',
    'policy',
    'storage',
    'audit',
    'sinks',
    'config',
    'common',
  ],
  // What there is to measure is everywhere.
  operations: [
    'health',
    'lifecycle',
    'limits',
    'revocation',
    'auth',
    'policy',
    'audit',
    'sinks',
    'outbound',
    'config',
    'common',
  ],
  // What would start is asked with the parts that start: registered tools, upstreams, policy, keys.
  doctor: ['outbound', 'cli', 'advisor', 'upstreams', 'tools', 'policy', 'audit', 'auth', 'config', 'common'],
  posture: ['cli', 'config'],
  auditor: ['cli', 'audit', 'config', 'common'],
  // The whole application knows its registered targets; the parts of the doctor verify a token.
  advisor: [
    'doctor',
    'auth',
    'cli',
    'app.module.ts',
    'upstreams',
    'auditor',
    'audit',
    'tools',
    'policy',
    'config',
    'common',
  ],
};

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((found) => found[1] as string);
}

const folderOf = (file: string) => relative(SRC, file).split('/')[0] as string;
const production = sources(SRC).filter((file) => !file.endsWith('.spec.ts'));
const local = (file: string) =>
  importsOf(file)
    .filter((path) => path.startsWith('.'))
    .map((path) => resolve(dirname(file), path.replace(/\.js$/, '.ts')));

describe('the house', () => {
  // A folder that the picture does not name holds tools of somebody's own: it may import what the examples import.
  const folders = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const arrows = folders.map(({ name }) => [name, ARROWS[name] ?? (ARROWS.examples as string[])] as const);

  it('has every folder of the picture', () => {
    expect(folders.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(ARROWS)));
  });

  it.each(arrows)('%s imports only %j', (folder, allowed) => {
    const crossings = production
      .filter((file) => folderOf(file) === folder && relative(SRC, file).includes('/'))
      .flatMap((file) => local(file).map((target) => [relative(SRC, file), folderOf(target)] as const))
      .filter(([, target]) => target !== folder && !allowed.includes(target));
    expect(crossings).toEqual([]);
  });

  it('has no cycle', () => {
    const graph = new Map(production.map((file) => [file, local(file)]));
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file))
        throw new Error(`cycle: ${[...path, file].map((at) => relative(SRC, at)).join(' → ')}`);
      if (done.has(file)) return;
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    expect(() => production.forEach((file) => visit(file, []))).not.toThrow();
  });

  it('knows the MCP SDK behind the bridge only', () => {
    const users = production.filter((file) =>
      importsOf(file).some((path) => path.startsWith('@modelcontextprotocol/')),
    );
    expect(users.map((file) => relative(SRC, file)).sort()).toEqual([
      'common/specified.ts',
      'mcp/classify.ts',
      'mcp/plain-era.ts',
      'mcp/sdk-bridge.ts',
      'upstreams/child-process.transport.ts',
      'upstreams/connection.ts',
      'upstreams/open-transport.ts',
    ]);
  });

  it('reads process.env in one file only', () => {
    const readers = production.filter((file) => readFileSync(file, 'utf8').includes('process.env'));
    expect(readers.map((file) => relative(SRC, file))).toEqual(['config/environment.ts']);
  });

  it('has nothing injectable in common', () => {
    const injectable = production.filter(
      (file) => folderOf(file) === 'common' && /@Injectable/.test(readFileSync(file, 'utf8')),
    );
    expect(injectable).toEqual([]);
  });

  it('keeps the demo a client: it imports nothing of the server', () => {
    const foreign = sources(join(ROOT, 'demo')).flatMap((file) =>
      importsOf(file).filter(
        (path) => path.startsWith('.') && !resolve(dirname(file), path).startsWith(join(ROOT, 'demo')),
      ),
    );
    expect(foreign).toEqual([]);
  });
});

describe('the variables', () => {
  const example = readFileSync(join(ROOT, '.env.example'), 'utf8');
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

  it('are all validated', () => {
    const validated = getMetadataStorage().getTargetValidationMetadatas(Variables, '', false, false);
    expect([...new Set(validated.map(({ propertyName }) => propertyName))].sort()).toEqual(
      [...VARIABLE_NAMES].sort(),
    );
  });

  it('are all in .env.example, and nothing else is', () => {
    const named = [...example.matchAll(/^#?\s?([A-Z][A-Z_]+)=/gm)].map((found) => found[1] as string);
    expect([...new Set(named)].sort()).toEqual([...VARIABLE_NAMES].sort());
  });

  it.each([...VARIABLE_NAMES])('%s is in the README', (name) => {
    expect(readme).toContain(`\`${name}\``);
  });
});
