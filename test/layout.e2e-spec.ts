/** Checks the folder layout, the imports and the consistency of the repository. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { VARIABLE_NAMES, Variables } from '../src/config/variables.js';
import { LOG_EVENTS } from '../src/core/log-events.js';
import { getMetadataStorage } from 'class-validator';

const ROOT = join(__dirname, '..');
const SRC = join(ROOT, 'src');

/**
 * The folders of the layout and the folders that each may import. A file belongs to the deepest folder that contains
 * it. The table has no cycle.
 */
const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  core: ['lib'],
  config: ['core', 'lib'],
  storage: ['config', 'core', 'lib'],
  'http/outbound': ['config'],
  audit: ['config', 'core', 'lib'],
  'audit/export': ['audit', 'http/outbound', 'config', 'core', 'lib'],
  auth: ['http/outbound', 'config', 'core', 'lib'],
  policy: ['config', 'core', 'lib'],
  tools: ['policy', 'config', 'core', 'lib'],
  // The error filter sends challenges and records rejections that no other step has recorded.
  http: ['audit', 'policy', 'auth', 'config', 'core', 'lib'],
  'http/discovery': ['policy', 'auth', 'config', 'core', 'lib'],
  'rate-limiting': ['storage', 'policy', 'auth', 'audit', 'config', 'core', 'lib'],
  revocation: ['storage', 'audit', 'config', 'core', 'lib'],
  'revocation/admin': ['revocation', 'http', 'config', 'core', 'lib'],
  'revocation/signals': ['revocation', 'rate-limiting', 'http', 'auth', 'audit', 'config', 'core', 'lib'],
  upstreams: ['tools', 'policy', 'http/outbound', 'audit', 'config', 'core', 'lib'],
  mcp: ['upstreams', 'revocation', 'tools', 'policy', 'http', 'audit', 'config', 'core', 'lib'],
  'operations/shutdown': [],
  'operations/conventions': ['core'],
  'operations/reload': ['policy', 'audit', 'config', 'core', 'lib'],
  'operations/startup': ['upstreams', 'tools', 'policy', 'audit', 'config', 'core', 'lib'],
  'operations/tracing': ['operations/conventions', 'http/outbound', 'config', 'core', 'lib'],
  'operations/health': [
    'mcp',
    'upstreams',
    'revocation',
    'rate-limiting',
    'operations/shutdown',
    'audit/export',
    'storage',
    'policy',
    'auth',
    'audit',
    'core',
  ],
  'operations/metrics': [
    'operations/conventions',
    'revocation',
    'rate-limiting',
    'operations/shutdown',
    'audit/export',
    'policy',
    'auth',
    'audit',
    'core',
    'lib',
  ],
  operations: [
    'operations/health',
    'operations/metrics',
    'operations/tracing',
    'revocation',
    'audit/export',
    'auth',
    'audit',
    'config',
    'core',
  ],
  examples: ['tools', 'policy', 'storage', 'config', 'core', 'lib'],
  // In addition to the folders of a user's own tools, which this table does not contain.
  'tool-modules.ts': [],
  'app.module.ts': [
    'examples',
    'operations',
    'operations/health',
    'operations/reload',
    'operations/shutdown',
    'operations/startup',
    'mcp',
    'upstreams',
    'revocation',
    'revocation/admin',
    'revocation/signals',
    'rate-limiting',
    'http',
    'http/discovery',
    'http/outbound',
    'tools',
    'policy',
    'auth',
    'audit',
    'audit/export',
    'config',
    'core',
  ],
  'create-app.ts': ['app.module.ts', 'operations/shutdown', 'mcp', 'http', 'policy', 'config', 'core'],
  'start-server.ts': ['create-app.ts', 'tool-modules.ts', 'config', 'core'],
  'main.ts': ['start-server.ts', 'config'],
  // The public API, for tools in this build and for programs that embed the server.
  'index.ts': ['create-app.ts', 'tools', 'policy', 'config', 'core', 'lib'],
  // Commands read the registered targets from the whole application.
  cli: ['app.module.ts', 'tool-modules.ts', 'upstreams', 'tools', 'policy', 'config', 'core', 'lib'],
  'cli/audit': ['cli', 'audit', 'config', 'core', 'lib'],
  'cli/doctor': [
    'cli',
    'upstreams',
    'tools',
    'policy',
    'auth',
    'audit',
    'http/outbound',
    'config',
    'core',
    'lib',
  ],
  // A replay takes its principals from audit logs and from tokens.
  'cli/policy': [
    'cli/audit',
    'cli/doctor',
    'cli',
    'upstreams',
    'tools',
    'policy',
    'auth',
    'audit',
    'config',
    'core',
    'lib',
  ],
  'cli/posture': ['cli', 'config'],
  'cli/revoke': [
    'cli/audit',
    'cli',
    'revocation/admin',
    'revocation',
    'audit',
    'storage',
    'http/outbound',
    'config',
    'lib',
  ],
  'cli/upstreams': ['cli', 'upstreams', 'tools', 'policy', 'http/outbound', 'config', 'core', 'lib'],
  'cli/mcp-gate.ts': ['cli/declare-commands.ts', 'cli'],
  'cli/declare-commands.ts': [
    'cli',
    'cli/audit',
    'cli/doctor',
    'cli/policy',
    'cli/posture',
    'cli/revoke',
    'cli/upstreams',
    'start-server.ts',
    'lib',
  ],
};

const MAX_FOLDERS = 16;
const MAX_LINES = 400;

/** Words that the vocabulary of the project replaced, in identifiers and file names. */
const RETIRED_WORDS =
  'advisor auditor bag circumstances complain curator glue judge judged judgement ledger lookfor passage revoker ' +
  'surroundings traps trials tryout unseal untold whom withheldwhere';

/** Identifiers that the vocabulary of the project replaced. */
const RETIRED_NAMES =
  'ShortWay LazyPassage passageOf GateStep GATE_STEPS OWN_MIDDLEWARES Surroundings inFrontOf gettersOf seenBy ' +
  'putInFront Inbound limitedBy wouldHide HeldToken forExchange Turns StageClock ownerOf withoutTokens tokenCache ' +
  'isPlain PlainAnswers plainEra  LateStream ListTexts Withheld unlessWithheld downLevel SdkBridge lastLook ' +
  'tellOfChanges questionOf hopByHop UnreadableRequests tellQueuedAnswers giveUp keepFor recordHappened Placed ' +
  'PlacedRecord isUrged inTurn decidingConfiguration quietEnd RecordParts Follower Delivered Finding onTrial ' +
  'hasTrials listTried callTried closedBy KnownLists basicScopes AccessCatalogue notThereError whileUp checkNature ' +
  'holdProven Genuine complain Withdrawn sameText SharedProofs ProofsInDatabase addressOf refuseToken refuseSet ' +
  'countKept RateClassGuard countedAs whatHolds trustFirst rightsKey nameHere entriesFor mayBeMounted Itself ' +
  'toldApart NOT_GOOD Looked aimAt checkTogether ONLY_APART IsTruth IsTexts nameRequest';

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'),
    )
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((found) => found[1] as string);
}

const roomOf = (file: string): string => {
  const path = relative(SRC, file);
  const rooms = Object.keys(IMPORTS).filter((room) => path === room || path.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? (path.split('/')[0] as string);
};
const production = sources(SRC).filter((file) => !file.endsWith('.spec.ts'));
const local = (file: string) =>
  importsOf(file)
    .filter((path) => path.startsWith('.'))
    .map((path) => resolve(dirname(file), path.replace(/\.js$/, '.ts')));

describe('source layout', () => {
  // A folder outside the table holds tools of a user: it may import the public API and the imports of the
  // examples.
  const rooms = [...new Set([...Object.keys(IMPORTS), ...production.map(roomOf)])];
  const allowedOf = (room: string): readonly string[] =>
    IMPORTS[room] ?? ['index.ts', ...(IMPORTS.examples as string[])];

  it('contains every folder of the table', () => {
    expect(rooms.filter((room) => !production.some((file) => roomOf(file) === room))).toEqual([]);
  });

  it(`has at most ${MAX_FOLDERS} folders directly under src`, () => {
    const named = new Set(Object.keys(IMPORTS).map((room) => room.split('/')[0]));
    const folders = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.filter(({ name }) => named.has(name)).length).toBeLessThanOrEqual(MAX_FOLDERS);
  });

  it.each(rooms.map((room) => [room, allowedOf(room)] as const))(
    'lets %s import only %j',
    (room, allowed) => {
      const crossings = production
        .filter((file) => roomOf(file) === room)
        .flatMap((file) => local(file).map((target) => [relative(SRC, file), roomOf(target)] as const))
        .filter(([, target]) => target !== room && !allowed.includes(target))
        .filter(([, target]) => room !== 'tool-modules.ts' || Object.hasOwn(IMPORTS, target));
      expect(crossings).toEqual([]);
    },
  );

  it('has no import cycle between folders', () => {
    expect(cycleOf(new Map(Object.entries(IMPORTS)))).toBeUndefined();
  });

  it('has no import cycle between files', () => {
    const graph = new Map(production.map((file) => [file, local(file)]));
    expect(cycleOf(graph)?.map((file) => relative(SRC, file))).toBeUndefined();
  });

  it('imports the MCP SDK only in mcp, upstreams/connection and core/mcp-types.ts', () => {
    const users = production
      .filter((file) => importsOf(file).some((path) => path.startsWith('@modelcontextprotocol/')))
      .map((file) => relative(SRC, file));
    const elsewhere = users.filter(
      (path) => !/^(mcp|upstreams\/connection)\//.test(path) && path !== 'core/mcp-types.ts',
    );
    expect(users).toContain('mcp/mcp-server-adapter.ts');
    expect(elsewhere).toEqual([]);
  });

  it('reads process.env in one file only', () => {
    const readers = production.filter((file) => readFileSync(file, 'utf8').includes('process.env'));
    expect(readers.map((file) => relative(SRC, file))).toEqual(['config/environment.ts']);
  });

  it('writes log lines through EventLogger, except for the access log', () => {
    const isOurs = (file: string) => roomOf(file) in IMPORTS && !relative(SRC, file).startsWith('cli/');
    const writers = production.filter((file) => {
      const text = readFileSync(file, 'utf8');
      const importsNestLogger = /import \{[^}]*\bLogger\b[^}]*\} from '@nestjs\/common'/.test(text);
      return importsNestLogger || /\blogger\.(trace|debug|verbose|info|log|warn|error|fatal)\(/.test(text);
    });
    expect(writers.filter(isOurs).map((file) => relative(SRC, file))).toEqual([
      'core/event-logger.ts',
      'http/access-log.ts',
    ]);
    const accessLog = readFileSync(join(SRC, 'http/access-log.ts'), 'utf8');
    const calls = accessLog.match(/logger\.info\(.*/g) ?? [];
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.filter((call) => !call.startsWith('logger.info({ event, '))).toEqual([]);
  });

  it('writes every event of LOG_EVENTS', () => {
    const texts = production
      .filter((file) => relative(SRC, file) !== 'core/log-events.ts')
      .map((file) => readFileSync(file, 'utf8'));
    const isWritten = (event: string) => texts.some((text) => text.includes(`'${event}'`));
    expect(Object.keys(LOG_EVENTS).filter((event) => !isWritten(event))).toEqual([]);
  });

  it('has no injectable class in core and lib', () => {
    const injectable = production.filter(
      (file) => ['core', 'lib'].includes(roomOf(file)) && /@Injectable/.test(readFileSync(file, 'utf8')),
    );
    expect(injectable).toEqual([]);
  });

  it('gives a class with a Nest suffix the name of its file', () => {
    const suffix =
      /\.(controller|factory|filter|guard|interceptor|middleware|module|service|sink|transport)\.ts$/;
    const different = production
      .filter((file) => suffix.test(file))
      .filter(
        (file) =>
          !new RegExp(`export (abstract )?class ${classNameOf(file)}\\b`).test(readFileSync(file, 'utf8')),
      );
    expect(different.map((file) => relative(SRC, file))).toEqual([]);
  });

  it(`has no production file over ${MAX_LINES} lines`, () => {
    const lines = (file: string) => readFileSync(file, 'utf8').split('\n').length - 1;
    const long = production.filter((file) => lines(file) > MAX_LINES);
    expect(long.map((file) => relative(SRC, file))).toEqual([]);
  });

  it('has no retired name in identifiers and file names', () => {
    const words = new Set(RETIRED_WORDS.split(' '));
    const names = new Set(RETIRED_NAMES.split(' '));
    // A user's own tool folders may use any word.
    const isOurs = (file: string) => !file.startsWith(join(SRC, '/')) || roomOf(file) in IMPORTS;
    const isRetired = (name: string) => names.has(name) || wordsOf(name).some((word) => words.has(word));
    const files = ['src', 'test', 'demo'].flatMap((folder) => sources(join(ROOT, folder)));
    const retired = files
      .filter((file) => file !== __filename && isOurs(file))
      .flatMap((file) => {
        const found = [...identifiersOf(readFileSync(file, 'utf8')), basename(file, '.ts')].filter(isRetired);
        return [...new Set(found)].map((name) => `${relative(ROOT, file)}: ${name}`);
      });
    expect(retired).toEqual([]);
  });

  it('keeps the demo independent of the server sources', () => {
    const foreign = sources(join(ROOT, 'demo')).flatMap((file) =>
      importsOf(file).filter(
        (path) => path.startsWith('.') && !resolve(dirname(file), path).startsWith(join(ROOT, 'demo')),
      ),
    );
    expect(foreign).toEqual([]);
  });
});

/** The identifiers of a source text, without comments and string literals. */
function identifiersOf(text: string): string[] {
  const code = text
    .replaceAll(/\/\*[^]*?\*\//g, ' ')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, ' ')
    .replaceAll(/\/\/.*/g, ' ');
  return code.match(/[A-Za-z_$][\w$]*/g) ?? [];
}

/** Splits `pendingCount`, `PENDING_COUNT` and `pending-count` into `pending` and `count`. */
function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
}

/** Maps `audit/audit-keys.controller.ts` to `AuditKeysController`. */
function classNameOf(file: string): string {
  const words = basename(file, '.ts').split(/[-.]/);
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** The first cycle of a graph, with its first node repeated at the end; undefined without a cycle. */
function cycleOf(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...path, node]);
      if (cycle) return cycle;
    }
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle) return cycle;
  }
  return undefined;
}

describe('environment variables', () => {
  const example = readFileSync(join(ROOT, '.env.example'), 'utf8');
  const page = readFileSync(join(ROOT, 'docs/reference/configuration.md'), 'utf8');

  it('all have validation rules', () => {
    const validated = getMetadataStorage().getTargetValidationMetadatas(Variables, '', false, false);
    expect([...new Set(validated.map(({ propertyName }) => propertyName))].sort()).toEqual(
      [...VARIABLE_NAMES].sort(),
    );
  });

  it('are exactly those in .env.example', () => {
    const named = [...example.matchAll(/^#?\s?([A-Z][A-Z_]+)=/gm)].map((found) => found[1] as string);
    expect([...new Set(named)].sort()).toEqual([...VARIABLE_NAMES].sort());
  });

  it.each([...VARIABLE_NAMES])('%s is documented in docs/reference/configuration.md', (name) => {
    expect(page).toContain(`\`${name}\``);
  });
});
