/** The command line accepts every mcp-gate command and every npm script of the documents. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createProgram, declareCommands } from '../src/cli/declare-commands.js';
import { parseCommandLine } from '../src/cli/parse-command-line.js';
import { codeBlocks, PAGES, readPage } from './support/documents.js';

const ROOT = join(__dirname, '..');
const NOW = new Date('2026-12-01T10:00:00Z');

/** Lines of shell blocks that call the program. Continued lines are joined. */
const commands = PAGES.flatMap((page) => {
  const lines = codeBlocks(page)
    .filter(({ language }) => language === 'sh' || language === 'bash')
    .flatMap(({ text }) => text.replace(/\\\n\s*/g, ' ').split('\n'));
  return lines
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

it.each(PAGES)('%s names existing npm scripts only', (page) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const named = [...readPage(page).matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g)].map(([, name = '']) => name);
  expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
});
