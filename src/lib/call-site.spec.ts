import { callSiteFile } from './call-site.js';

/** The file found in a stack; frames from the innermost out. */
function fileIn(...frames: string[]): string {
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  Error.prepareStackTrace = () => ['Error', ...frames].join('\n');
  try {
    return callSiteFile();
  } finally {
    if (before) Object.defineProperty(Error, 'prepareStackTrace', before);
    else Reflect.deleteProperty(Error, 'prepareStackTrace');
  }
}

const at = (file: string) => `    at f (${file}:1:2)`;
const here = (file: string) => `${process.cwd()}/${file}`;

it('callSiteFile names the calling file', () => {
  expect(callSiteFile()).toBe('src/lib/call-site.spec.ts');
});

it.each([
  ['the innermost', [at(here('src/a.ts')), at(here('src/b.ts'))], 'src/a.ts'],
  ['without a function name', [`    at ${here('src/a.ts')}:1:2`], 'src/a.ts'],
  ['of a module by URL', [at(`file://${here('dist/a.js')}`)], 'dist/a.js'],
  ['outside the folder', [at('/elsewhere/a.js')], expect.stringMatching(/^(\.\.\/)+elsewhere\/a\.js$/)],
  [
    'behind the decorators and their helpers',
    [
      at(here('src/lib/call-site.ts')),
      at(here('src/policy/decorators.ts')),
      at(here('dist/tools/decorators.js')),
      at(here('node_modules/tslib/tslib.js')),
      at('node:internal/modules/cjs/loader'),
      at(here('src/tools.ts')),
    ],
    'src/tools.ts',
  ],
  ['nowhere to be seen', [at('<anonymous>'), '    at new Promise (<anonymous>)'], '(unknown file)'],
  ['in an empty stack', [], '(unknown file)'],
])('callSiteFile recognizes a file %s', (_name, frames, expected) => {
  expect(fileIn(...frames)).toEqual(expected);
});
