/** Runs every command of docs/getting-started.md in a copy of the checkout and compares the printed output. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './support/gate.js';

const ROOT = join(__dirname, '..');
const PAGE = readFileSync(join(ROOT, 'docs/getting-started.md'), 'utf8');
const MARK = '=== end of block';

interface Step {
  readonly command: string;
  /** The block of output that follows the command; `…` stands for any text. */
  readonly output: string | undefined;
}

const steps: readonly Step[] = [...PAGE.matchAll(/^```(\w+)\n(.*?)^```/gms)].reduce<Step[]>(
  (all, [, language, text = '']) => {
    const last = all.at(-1);
    if (language === 'sh') return [...all, { command: text, output: undefined }];
    if (!last || last.output !== undefined) throw new Error(`An output without its command: ${text}`);
    return [...all.slice(0, -1), { ...last, output: text }];
  },
  [],
);

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** A pattern for the output: `…` matches any text within a line; a line of `…` alone matches the rest. */
function patternOf(output: string): RegExp {
  const lines = output.trimEnd().split('\n');
  const isOpen = lines.at(-1) === '…';
  const shown = isOpen ? lines.slice(0, -1) : lines;
  const body = shown.map((line) => line.split('…').map(escaped).join('.*')).join('\\r?\\n');
  return new RegExp(`^${body}${isOpen ? '[^]*' : '\\s*'}$`);
}

describe('docs/getting-started.md', () => {
  let folder: string;
  let outputs: string[];
  let ports: { server: string; issuer: string };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'getting-started-'));
    const files = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: ROOT });
    const archive = execFileSync('tar', ['--null', '-T', '-', '--ignore-failed-read', '-cf', '-'], {
      cwd: ROOT,
      input: files,
      maxBuffer: 1 << 28,
    });
    execFileSync('tar', ['-xf', '-', '-C', folder], { input: archive });
    // In place of step 1: the packages of this checkout are those that `npm ci` installs.
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    ports = { server: String(await freePort()), issuer: String(await freePort()) };
    const at = (text: string) => text.replaceAll('3000', ports.server).replaceAll('3001', ports.issuer);
    const script = steps
      .map(({ command }) => (command === 'npm ci\n' ? '' : at(command)))
      .join(`echo; echo '${MARK}'\n`);
    const token = `--issuer http://127.0.0.1:${ports.issuer} --resource http://127.0.0.1:${ports.server}/mcp`;
    const run = spawnSync('bash', ['-c', script.replaceAll('token-main ', `token-main ${token} `)], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: folder, PORT: ports.server },
      timeout: 150_000,
    });
    expect(run.stderr).not.toMatch(/error/i);
    outputs = run.stdout.split(`${MARK}\n`);
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('runs every command block to its end', () => {
    expect(outputs).toHaveLength(steps.length);
  });

  it.each(steps.flatMap(({ command, output }, at) => (output ? [[command.split('\n')[0], at, output]] : [])))(
    'shows the output of the block that begins with: %s',
    (_command, at, output) => {
      const shown = (output as string).replaceAll('3000', ports.server).replaceAll('3001', ports.issuer);
      expect(outputs[at as number]).toMatch(patternOf(shown));
    },
  );
});
