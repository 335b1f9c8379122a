import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { argumentError, lostOptions, usageError, type CommandUsage } from './usage.js';

const USAGE: CommandUsage = {
  script: 'audit',
  options: {
    help: { type: 'boolean', short: 'h' },
    json: { type: 'boolean' },
    person: { type: 'string' },
    token: { type: 'string' },
    by: { type: 'string' },
    'issued-before': { type: 'string' },
  },
};
const inNpm = { npm_lifecycle_event: 'audit' };

describe('lostOptions', () => {
  it.each<[string, readonly string[], Record<string, string>, readonly string[]]>([
    ['an option without a value', ['query', 'alice'], { npm_config_person: 'true' }, ['--person …']],
    ['an option with a value', ['query'], { npm_config_person: 'alice' }, ['--person …']],
    ['an option with an empty value', ['query'], { npm_config_person: '' }, ['--person …']],
    ['a flag', ['query'], { npm_config_json: 'true' }, ['--json']],
    ['a name of two words', ['subject'], { npm_config_issued_before: 'x' }, ['--issued-before …']],
    ['the beginning of an option of npm', ['list'], { npm_config_token_description: '-' }, ['--token …']],
    ['another one', ['list'], { npm_config_bypass_2fa: 'true' }, ['--by …']],
    ['two', [], { npm_config_json: 'true', npm_config_person: 'a' }, ['--json', '--person …']],
    [
      'a name that starts like one that was given',
      ['--person-of=x'],
      { npm_config_person: 'a' },
      ['--person …'],
    ],
  ])('names %s, and how to write it', (_what, args, npm, written) => {
    const message = lostOptions(USAGE, args, { ...inNpm, ...npm });
    expect(message).toContain(`npm run audit -- … ${written.join(' ')}`);
    expect(message).not.toContain('alice');
  });

  it.each<[string, readonly string[], Record<string, string>]>([
    ['npm did not run', [], { npm_config_json: 'true' }],
    ['npm ran another script', [], { npm_lifecycle_event: 'test', npm_config_json: 'true' }],
    ['no option was lost', ['query'], { ...inNpm, npm_config_loglevel: 'silent', npm_config_audit: '' }],
    ['a flag of npm is off', [], { ...inNpm, npm_config_json: '' }],
    ['the option arrived', ['--person=alice'], { ...inNpm, npm_config_person: 'true' }],
  ])('says nothing where %s', (_what, args, npm) => {
    expect(lostOptions(USAGE, args, npm)).toBeUndefined();
  });

  it('finds what the installed npm really takes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gate-npm-'));
    const print =
      'console.log(JSON.stringify([process.argv.slice(1), Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("npm_")))]))';
    writeFileSync(join(folder, 'print.cjs'), print);
    writeFileSync(join(folder, 'package.json'), '{"scripts":{"audit":"node print.cjs"}}');
    const taken = (...args: string[]) => {
      const { stdout } = spawnSync('npm', ['run', '-s', 'audit', ...args], { cwd: folder, encoding: 'utf8' });
      const [[, ...left], npm] = JSON.parse(stdout) as [string[], Record<string, string>];
      return lostOptions(USAGE, left, npm);
    };
    expect(taken('query', '--person', 'alice', '--json')).toContain('-- … --json --person …');
    expect(taken('query', '--issued-before=2026-11-22')).toContain('--issued-before …');
    expect(taken('query', '--', '--person', 'alice', '--json')).toBeUndefined();
    rmSync(folder, { recursive: true });
  }, 60_000);
});

describe('usageError', () => {
  it('is two lines, whatever the message holds', () => {
    const text = usageError(USAGE, 'a\nb\u001b[2J\u2028c');
    expect(text).toBe('a\\u{a}b\\u{1b}[2J\\u{2028}c\nHelp: npm run audit -- --help');
  });
});

describe('argumentError', () => {
  const errorOf = (...args: string[]) => {
    try {
      parseArgs({ args, options: USAGE.options, allowPositionals: true });
    } catch (error) {
      return argumentError(error, USAGE.options);
    }
    return 'none';
  };

  it.each<[readonly string[], string]>([
    [['--persn', 'x'], 'Unknown option --persn. Did you mean --person?'],
    [['--secret=hunter2'], 'Unknown option --secret.'],
    [['-x'], 'Unknown option -x.'],
    [['--person', '-x'], "Option '--person' argument is ambiguous."],
  ])('says of %j: %s', (args, says) => {
    expect(errorOf(...args)).toBe(says);
  });
});
