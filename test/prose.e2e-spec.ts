/** Comments, messages and test titles avoid the words that .textlintrc.json rejects in documents. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '..');

interface TextlintSettings {
  readonly rules: { readonly 'stop-words': { readonly words: readonly (readonly string[])[] } };
}

const settings = JSON.parse(readFileSync(join(ROOT, '.textlintrc.json'), 'utf8')) as TextlintSettings;
const words = settings.rules['stop-words'].words.map(([word = '']) => word);
const REJECTED = new RegExp(`\\b(${words.join('|')})\\b`, 'i');

/** Three words: shorter strings are names and values. */
const SENTENCE = /[a-z]+,? [a-z]+,? [a-z]+/i;

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'src', 'test', 'demo', 'bench'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(ts|mjs|cjs)$/.test(file) && file !== 'test/prose.e2e-spec.ts');

/** Comments and strings of a file, with their positions. Quoted words, code and templates' expressions are excluded. */
function proseOf(file: string): { readonly line: number; readonly text: string }[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const isTest = /(^test\/|\.spec\.ts$)/.test(file);
  const found: { position: number; text: string }[] = [];
  const comments = new Map<number, string>();
  const visit = (node: ts.Node): void => {
    for (const range of [
      ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.getEnd()) ?? []),
    ]) {
      comments.set(range.pos, text.slice(range.pos, range.end));
    }
    const isText =
      ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
    const isTitle =
      ts.isCallExpression(node.parent) &&
      node.parent.arguments[0] === node &&
      /^(it|test|describe)\b/.test(node.parent.expression.getText(source));
    // Fixtures of tests hold arbitrary strings.
    if (isText && (!isTest || isTitle) && SENTENCE.test(node.text))
      found.push({ position: node.getStart(), text: node.text });
    node.getChildren(source).forEach(visit);
  };
  source.getChildren().forEach(visit);
  comments.forEach((comment, position) =>
    found.push({ position, text: comment.replace(/`[^`]*`|"[^"]*"/g, '') }),
  );
  return found.map(({ position, text: prose }) => ({
    line: source.getLineAndCharacterOfPosition(position).line + 1,
    text: prose,
  }));
}

it('comments, messages and test titles contain no rejected word', () => {
  const faults = files.flatMap((file) =>
    proseOf(file)
      .filter(({ text }) => REJECTED.test(text))
      .map(({ line, text }) => `${file}:${line}: ${REJECTED.exec(text)?.[0]}: ${text.trim().slice(0, 120)}`),
  );
  expect(faults).toEqual([]);
});
