/** The behaviour that all commands of `mcp-gate` share: help, version, exit codes, suggestions, pipes and signals. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../src/lib/version.js';
import { temporaryFolder } from './support/gate.js';
import { until } from './support/remote.js';
import { type Ended, runProgram, startProgram } from './support/server-process.js';

const ROOT = join(__dirname, '..');
const PROGRAM = 'cli/mcp-gate.js';

const COMMANDS = [
  'start',
  'doctor',
  'audit verify',
  'audit query',
  'audit chain',
  'audit report',
  'policy check',
  'policy schema',
  'policy explain',
  'policy matrix',
  'policy diff',
  'policy replay',
  'upstreams list',
  'upstreams test',
  'upstreams diff',
  'upstreams accept',
  'revoke subject',
  'revoke client',
  'revoke session',
  'revoke token',
  'revoke issuer',
  'revoke list',
  'revoke withdraw',
  'posture',
];

const folder = temporaryFolder();
const empty = join(folder.path, 'empty.jsonl');
const env = { AUTH_ISSUER: 'https://issuer.example', TOOL_ALLOW_LIST: '*', DATA_DIR: folder.path };

beforeAll(() => writeFileSync(empty, ''));
afterAll(() => folder.remove());

function run(line: string, variables: Record<string, string> = env): Promise<Ended> {
  return runProgram(PROGRAM, { args: line.split(' ').filter(Boolean), env: variables, cwd: folder.path });
}

/** An audit log larger than a pipe buffer. */
function longAuditLog(): string {
  const file = join(folder.path, 'long.jsonl');
  const record = {
    v: 1,
    instance: 'gate-1',
    event: 'decision',
    time: '2026-11-22T10:00:00.000Z',
    delegation: [],
    principal: null,
  };
  const lines = Array.from({ length: 20_000 }, (_, seq) =>
    JSON.stringify({ ...record, seq, id: `id-${seq}` }),
  );
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

it.each(COMMANDS)(
  'prints help with examples and exit codes for %s, without a configuration',
  async (command) => {
    const { code, out, err } = await run(`${command} --help`, {});
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(`Usage: mcp-gate ${command}`);
    expect(out).toMatch(/\nExamples:\n {2}.*mcp-gate/);
    expect(out).toMatch(/\nExit codes:\n {2}0 {2}ok\n/);
  },
);

it('documents every command of the program', () => {
  const page = readFileSync(join(ROOT, 'docs/reference/cli.md'), 'utf8');
  const words = new Set([...page.matchAll(/`([a-z ]+)`/g)].map(([, text]) => text));
  const missing = COMMANDS.filter((one) => !words.has(one) && !words.has(one.replace('revoke ', '')));
  expect(missing).toEqual([]);
});

it.each(['', ...COMMANDS])('prints the version for "%s --version"', async (command) => {
  expect(await run(`${command} --version`, {})).toEqual({ code: 0, out: `${VERSION}\n`, err: '' });
});

it.each<[string, string]>([
  ['adit verify', 'Unknown command "adit". Did you mean audit?\nHelp: mcp-gate --help\n'],
  ['audit verfy', 'Unknown command "verfy". Did you mean verify?\nHelp: mcp-gate audit --help\n'],
  [
    'policy check --jsno',
    'Unknown option --jsno. Did you mean --json?\nHelp: mcp-gate policy check --help\n',
  ],
  [
    'upstreams test --tokne=eyJhbGciOi',
    'Unknown option --tokne. Did you mean --token?\nHelp: mcp-gate upstreams test --help\n',
  ],
])('suggests the nearest name for %s', async (line, err) => {
  expect(await run(line)).toEqual({ code: 2, out: '', err });
});

it.each<[number, string]>([
  [0, 'posture --json'],
  [1, 'posture --require L4'],
  [1, 'policy explain --as principal.json --tool missing'],
  [2, ''],
  [2, 'policy'],
  [2, 'posture --require L9'],
  [2, 'audit query --since yesterday'],
  [2, 'upstreams accept --all --token eyJhbGciOi'],
  [2, 'posture extra'],
  [3, 'audit verify /nowhere'],
  [3, 'audit verify empty.jsonl'],
  [3, 'posture --env-file nowhere.env'],
  [3, 'upstreams list'],
  [3, 'revoke list'],
  [3, 'policy matrix --as nobody'],
])('ends with %i for "%s"', (code, line) => {
  writeFileSync(join(folder.path, 'principal.json'), '{"sub":"alice"}');
  // "--" keeps Node from reading --env-file itself, as in the first line of the program.
  const args = ['--', join(ROOT, 'dist', PROGRAM), ...line.split(' ').filter(Boolean)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder.path,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  expect([status, stderr]).toEqual([code, expect.not.stringMatching(/ {4}at |eyJhbGciOi/)]);
  if (code > 1) expect([stdout, stderr]).toEqual(['', expect.stringMatching(/\S/)]);
});

it('reads the variables of --env-file in place of .env', async () => {
  writeFileSync(join(folder.path, 'other.env'), 'AUTH_ISSUER=https://issuer.example\nTOOL_ALLOW_LIST=*\n');
  for (const args of [
    ['--env-file', 'other.env', 'posture'],
    ['posture', '--env-file', 'other.env'],
  ]) {
    const { code, out } = await runProgram(PROGRAM, { args, cwd: folder.path });
    expect([code, out.includes('Level reached')]).toEqual([0, true]);
  }
  expect((await run('posture', {})).code).toBe(3);
});

it('ends without an error when the reader closes the pipe', () => {
  const query = `"${process.execPath}" "${join(ROOT, 'dist', PROGRAM)}" audit query --json --limit 0 "${longAuditLog()}"`;
  const { status, stdout, stderr } = spawnSync('sh', ['-c', `(${query}; echo "code $?" >&2) | head -1`], {
    encoding: 'utf8',
  });
  expect([status, stdout.split('\n').length, stderr]).toEqual([0, 2, 'code 0\n']);
});

it.each<[NodeJS.Signals, number]>([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])('ends on %s with %i and without a stack', async (signal, code) => {
  const program = startProgram(PROGRAM, {
    args: ['audit', 'query', '--follow', '--json', '--limit', '1', longAuditLog()],
  });
  await until(async () => program.out !== '', 20_000);
  program.child.kill(signal);
  const [exit] = (await once(program.child, 'exit')) as [number];
  expect([exit, program.err]).toEqual([code, '']);
});
