/** The command line accepts every mcp-gate command and every npm script of the documents. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProgram, declareCommands } from '../src/cli/declare-commands.js';
import { parseCommandLine } from '../src/cli/parse-command-line.js';

const ROOT = join(__dirname, '..');
const NOW = new Date('2026-12-01T10:00:00Z');

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'bench/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** Lines of shell blocks that call the program. Continued lines are joined. */
const commands = pages.flatMap((page) => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const blocks = [...text.matchAll(/^```(?:sh|bash)\n(.*?)^```/gms)].flatMap(([, block = '']) =>
    block.replace(/\\\n\s*/g, ' ').split('\n'),
  );
  return blocks
    .flatMap((line) => [...line.matchAll(/(?:^|[|;(]|&&|exec \S+|npx)\s*mcp-gate (.*)/g)])
    .map(
      ([, words = '']) =>
        [
          page,
          words
            .replace(/\s+#.*$/, '')
            .replace(/[|<>);].*$/, '')
            .trim(),
        ] as const,
    );
});

/** Shell words; a variable with a digest gets a value. */
function wordsOf(text: string): string[] {
  const line = text.replace('$DIGEST', '0'.repeat(64));
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  );
}

/** @throws UsageError for a command line that the program rejects. */
function parse(words: readonly string[]): boolean {
  const program = createProgram();
  declareCommands(program, NOW, () => undefined);
  return parseCommandLine(program, words, {});
}

const isComplete = (line: string) => line !== '' && !/[…]|\.\.\./.test(line);
const complete = commands.filter(([, line]) => isComplete(line));

it('finds the commands of the documents', () => {
  expect(complete.length).toBeGreaterThan(30);
});

it.each(complete)('%s: mcp-gate accepts "%s"', (_page, line) => {
  expect(() => parse(wordsOf(line))).not.toThrow();
});

it.each(pages)('%s names existing npm scripts only', (page) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const named = [...readFileSync(join(ROOT, page), 'utf8').matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)].map(
    ([, name = '']) => name,
  );
  expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});
