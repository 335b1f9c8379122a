/** The Markdown pages of the project and their code blocks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

/** Paths from the root of the project. */
export const PAGES: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'GLOSSARY.md',
  'SECURITY.md',
  'bench/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

export interface CodeBlock {
  readonly page: string;
  /** The word after the opening fence, such as `yaml`. */
  readonly language: string;
  readonly text: string;
}

/** @param page a path from the root of the project */
export const readPage = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

/** Blocks that name their language, in the order of the page. */
export function codeBlocks(page: string): CodeBlock[] {
  return [...readPage(page).matchAll(/^```(\w+)\n(.*?)^```/gms)].map(([, language = '', text = '']) => ({
    page,
    language,
    text,
  }));
}
