/** The public API of the built package. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '..');
const DECLARATIONS = join(ROOT, 'dist/index.d.ts');
/** A virtual file, known only to the compiler. */
const CONSUMER = join(ROOT, 'test/consumer.ts');

const VALUES = [
  'AllowWorkload',
  'AnyPrincipal',
  'Audit',
  'ConfigurationError',
  'DeclarationError',
  'InputRequired',
  'NoInput',
  'Prompt',
  'PromptCompletion',
  'RequireAssurance',
  'RequireRoles',
  'RequireScopes',
  'Resource',
  'Tool',
  'ToolError',
  'ToolResult',
  'ToolUnavailable',
  'createApp',
];

const TYPES = [
  'App',
  'AssuranceRequirement',
  'AuditOptions',
  'Content',
  'CreateAppOptions',
  'DelegationLink',
  'Environment',
  'JsonObject',
  'LogLevel',
  'Principal',
  'PrincipalKind',
  'PromptCompletionOptions',
  'PromptMessage',
  'PromptOptions',
  'ResourceContents',
  'ResourceOptions',
  'ResourceRequest',
  'Settings',
  'ToolAnnotations',
  'ToolCall',
  'ToolOptions',
];

/** Compiles these files, by path, and returns the program and the errors in them. */
function compileFiles(files: ReadonlyMap<string, string>): { program: ts.Program; faults: string[] } {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: [CONSUMER] },
    ts.sys,
    ROOT,
  );
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  host.fileExists = (path) => files.has(path) || ts.sys.fileExists(path);
  host.readFile = (path) => files.get(path) ?? ts.sys.readFile(path);
  // The folders of these files need not exist.
  delete host.directoryExists;
  const program = ts.createProgram([...files.keys()], { ...options, noEmit: true }, host);
  const faults = [...files.keys()]
    .flatMap((path) => ts.getPreEmitDiagnostics(program, program.getSourceFile(path)))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  return { program, faults };
}

const compile = (source: string) => compileFiles(new Map([[CONSUMER, source]]));

/** The files that these pages show, by path; the first line of each block is its path. */
const guideFiles = new Map(
  [
    'README',
    'docs/guides/write-a-tool',
    'docs/guides/add-resources-and-prompts',
    'docs/guides/embed-the-server',
  ]
    .map((name) => readFileSync(join(ROOT, `${name}.md`), 'utf8'))
    .flatMap((page) => [...page.matchAll(/^```ts\n\/\/ (\S+)\n([^]*?)^```/gm)])
    .map(([, path = '', text = '']) => [join(ROOT, path), text]),
);

describe('public API', () => {
  it('exports exactly these values', () => {
    expect(Object.keys(require(join(ROOT, 'dist/index.js'))).sort()).toEqual(VALUES);
  });

  it('exports exactly these types', () => {
    const { program } = compile("import 'identity-aware-mcp-server';");
    const checker = program.getTypeChecker();
    const module = checker.getSymbolAtLocation(program.getSourceFile(DECLARATIONS) as ts.SourceFile);
    const names = checker.getExportsOfModule(module as ts.Symbol).map(({ name }) => name);
    expect(names.sort()).toEqual([...VALUES, ...TYPES].sort());
  });

  it('compiles the files of the README and of the guides on tools', () => {
    expect(guideFiles.size).toBe(5);
    expect(compileFiles(guideFiles).faults).toEqual([]);
  });

  it('does not export internal names and files', () => {
    const { faults } = compile(
      "import { ToolRegistry } from 'identity-aware-mcp-server';\n" +
        "import 'identity-aware-mcp-server/dist/create-app.js';\nexport const used = ToolRegistry;",
    );
    expect(faults).toEqual([
      expect.stringContaining("no exported member 'ToolRegistry'"),
      expect.stringContaining("'identity-aware-mcp-server/dist/create-app.js'"),
    ]);
  });
});
