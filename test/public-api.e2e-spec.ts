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

/** Compiles one consumer of the package and returns the program and the errors of the consumer. */
function compile(source: string): { program: ts.Program; faults: string[] } {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: [CONSUMER] },
    ts.sys,
    ROOT,
  );
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  host.fileExists = (path) => path === CONSUMER || ts.sys.fileExists(path);
  host.readFile = (path) => (path === CONSUMER ? source : ts.sys.readFile(path));
  const program = ts.createProgram([CONSUMER], { ...options, noEmit: true }, host);
  const faults = ts
    .getPreEmitDiagnostics(program, program.getSourceFile(CONSUMER))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  return { program, faults };
}

const inPackage = (source: string) => source.replaceAll("'../index.js'", "'identity-aware-mcp-server'");

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

  it('compiles the tool of the README section Write a tool', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, source = ''] = /^## Write a tool$[^]*?```ts\n([^]*?)```/m.exec(readme) ?? [];
    expect(source).toContain("from '../index.js'");
    expect(compile(inPackage(source)).faults).toEqual([]);
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
