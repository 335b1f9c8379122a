import { Command } from 'commander';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCommandLine } from './parse-command-line.js';
import { commandAt, lostOptions, renderUsageError, UsageError } from './usage.js';

function programOf(): Command {
  const program = new Command('mcp-gate').version('1.2.3').option('--env-file <file>');
  const audit = program.command('audit').description('The audit log.');
  audit
    .command('query')
    .option('--json')
    .option('--person <sub>')
    .action(() => undefined);
  audit
    .command('list')
    .option('--token <->')
    .option('--by <name>')
    .option('--issued-before <time>')
    .action(() => undefined);
  return program;
}

const inNpm = { npm_lifecycle_event: 'audit' };

describe('lostOptions', () => {
  it.each<[string, readonly string[], Record<string, string>, readonly string[]]>([
    ['an option without a value', ['query', 'alice'], { npm_config_person: 'true' }, ['--person …']],
    ['an option with a value', ['query'], { npm_config_person: 'alice' }, ['--person …']],
    ['an option with an empty value', ['query'], { npm_config_person: '' }, ['--person …']],
    ['a flag', ['query'], { npm_config_json: 'true' }, ['--json']],
    ['a name of two words', ['subject'], { npm_config_issued_before: 'x' }, ['--issued-before …']],
    ['the beginning of an option of npm', ['list'], { npm_config_token_description: '-' }, ['--token …']],
    ['another abbreviated npm option', ['list'], { npm_config_bypass_2fa: 'true' }, ['--by …']],
    ['two options', [], { npm_config_json: 'true', npm_config_person: 'a' }, ['--json', '--person …']],
    [
      'a name that is the prefix of a given option',
      ['--person-of=x'],
      { npm_config_person: 'a' },
      ['--person …'],
    ],
  ])('names %s and its correct spelling', (_what, args, npm, written) => {
    const message = lostOptions(programOf(), ['audit', ...args], { ...inNpm, ...npm });
    expect(message).toContain(`npm run audit -- … ${written.join(' ')}`);
    expect(message).not.toContain('alice');
  });

  it.each<[string, readonly string[], Record<string, string>]>([
    ['npm did not run', [], { npm_config_json: 'true' }],
    ['npm ran another script', [], { npm_lifecycle_event: 'test', npm_config_json: 'true' }],
    ['no option was lost', ['query'], { ...inNpm, npm_config_loglevel: 'silent', npm_config_audit: '' }],
    ['a flag of npm is off', [], { ...inNpm, npm_config_json: '' }],
    ['the option arrived', ['--person=alice'], { ...inNpm, npm_config_person: 'true' }],
  ])('returns no message if %s', (_what, args, npm) => {
    expect(lostOptions(programOf(), ['audit', ...args], npm)).toBeUndefined();
  });

  it('finds the options that the installed npm consumes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gate-npm-'));
    const print =
      'console.log(JSON.stringify([process.argv.slice(1), Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("npm_")))]))';
    writeFileSync(join(folder, 'print.cjs'), print);
    writeFileSync(join(folder, 'package.json'), '{"scripts":{"audit":"node print.cjs"}}');
    const taken = (...args: string[]) => {
      const { stdout } = spawnSync('npm', ['run', '-s', 'audit', ...args], { cwd: folder, encoding: 'utf8' });
      const [[, ...left], npm] = JSON.parse(stdout) as [string[], Record<string, string>];
      return lostOptions(programOf(), ['audit', ...left], npm);
    };
    expect(taken('query', '--person', 'alice', '--json')).toContain('-- … --json --person …');
    expect(taken('query', '--issued-before=2026-11-22')).toContain('--issued-before …');
    expect(taken('query', '--', '--person', 'alice', '--json')).toBeUndefined();
    rmSync(folder, { recursive: true });
  }, 60_000);
});

describe('renderUsageError', () => {
  const program = programOf();

  it('prints two lines without control characters and tokens for every message', () => {
    const query = commandAt(program, ['audit', 'query']);
    const text = renderUsageError('a\nb\u001b[2J\u2028c eyJhbGciOiJSUzI1NiJ9.e30.x', query, {});
    expect(text).toBe('a\\u{a}b\\u{1b}[2J\\u{2028}c [token]\nHelp: mcp-gate audit query --help');
  });

  it('names the npm script if npm started the command', () => {
    const query = commandAt(program, ['audit', 'query']);
    expect(renderUsageError('a', query, inNpm)).toBe('a\nHelp: npm run audit -- query --help');
    expect(renderUsageError('a', program, { npm_lifecycle_event: 'npx' })).toBe('a\nHelp: mcp-gate --help');
  });
});

describe('commandAt', () => {
  it.each([
    [[], 'mcp-gate'],
    [['audit'], 'audit'],
    [['audit', '--json', 'query'], 'query'],
    [['--env-file', 'audit', 'audit', 'list'], 'list'],
    [['audit', 'query', 'list'], 'query'],
    [['audit', '--', 'query'], 'audit'],
  ])('finds the command of %j', (args, name) => {
    expect(commandAt(programOf(), args).name()).toBe(name);
  });
});

describe('parseCommandLine', () => {
  it.each<[readonly string[], string]>([
    [['audit', 'query', '--persn', 'x'], 'Unknown option --persn. Did you mean --person?'],
    [['audit', 'query', '--persn=x'], 'Unknown option --persn. Did you mean --person?'],
    [['audit', 'query', '--env-fiel=x'], 'Unknown option --env-fiel. Did you mean --env-file?'],
    [['audit', 'query', '--secret=hunter2'], 'Unknown option --secret.'],
    [['audit', 'query', '-x'], 'Unknown option -x.'],
    [['audit', 'query', '--person', '-x'], '--person needs a value. Write --person=VALUE'],
    [['audit', 'query', 'x'], "Too many arguments for 'query'. Expected 0 arguments but got 1."],
    [['audit', '--json', 'query'], 'Write --json after the command: query.'],
    [['adit'], 'Unknown command "adit". Did you mean audit?'],
    [['audit', 'qeury'], 'Unknown command "qeury". Did you mean query?'],
    [['hunter2'], 'Commands: audit.'],
    [['audit'], 'Name a command: query or list. Options follow it.'],
    [[], 'Name a command: audit. Options follow it.'],
  ])('rejects %j: %s', (args, says) => {
    expect(() => parseCommandLine(programOf(), args, {})).toThrow(UsageError);
    expect(() => parseCommandLine(programOf(), args, {})).toThrow(says);
  });

  it.each([[['--help']], [['audit', 'query', '-h']], [['help', 'audit']], [['audit', 'query', '--version']]])(
    'runs no action for %j',
    (args) => {
      const program = programOf();
      program.configureOutput({ writeOut: () => undefined });
      for (const one of [
        program,
        ...program.commands,
        ...program.commands.flatMap(({ commands }) => commands),
      ])
        one.configureOutput({ writeOut: () => undefined });
      expect(parseCommandLine(program, args, {})).toBe(false);
    },
  );
});
