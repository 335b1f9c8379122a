/** Command line of `mcp-gate upstreams`. */
import type { Command } from 'commander';
import { JSON_OPTION, withExamples } from '../help.js';
import { UsageError } from '../usage.js';

interface Common {
  /** Upstreams; empty: all. */
  readonly names: readonly string[];
  readonly json: boolean;
  /** Read an access token from stdin, for upstreams that need a caller. */
  readonly withToken: boolean;
}

export type UpstreamsRequest =
  | ({ readonly kind: 'list' | 'test' | 'diff' } & Common)
  | ({
      readonly kind: 'accept';
      /** Tools of one upstream; empty: all. */
      readonly tools: readonly string[];
      /** Digest printed by `diff`; other changes are rejected. Undefined: any change. */
      readonly digest: string | undefined;
    } & Common);

interface Options {
  readonly json?: boolean;
  readonly token?: string;
}

interface AcceptOptions extends Options {
  readonly all?: boolean;
  readonly digest?: string;
}

/** SHA-256, hexadecimal. */
const DIGEST = /^[0-9a-f]{64}$/;

export function declareUpstreams(program: Command, run: (request: UpstreamsRequest) => void): void {
  const upstreams = program
    .command('upstreams')
    .description('Tests the MCP servers that UPSTREAMS_FILE mounts, and accepts their definitions.');
  withExamples(upstreams, ['mcp-gate upstreams test', 'mcp-gate upstreams accept --all']);

  const list = upstreams
    .command('list')
    .description('Lists the mounted tools, their names and access rules. Contacts no upstream.')
    .argument('[names...]', 'upstreams; default: all')
    .option('--json', JSON_OPTION)
    .action((names: string[], options: Options) => run({ kind: 'list', names, ...common(options) }));
  withExamples(list, ['mcp-gate upstreams list']);

  const test = withToken(upstreams.command('test'))
    .description('Starts or reaches each upstream and lists its tools.')
    .argument('[names...]', 'upstreams; default: all')
    .action((names: string[], options: Options) => run({ kind: 'test', names, ...common(options) }));
  withExamples(test, ['mcp-gate upstreams test files'], 'an upstream failed, or a tool cannot be mounted');

  const diff = withToken(upstreams.command('diff'))
    .description('Prints definitions that differ from the accepted ones, and their digest.')
    .argument('[names...]', 'upstreams; default: all')
    .action((names: string[], options: Options) => run({ kind: 'diff', names, ...common(options) }));
  withExamples(diff, ['mcp-gate upstreams diff'], 'a definition differs');

  const accept = withToken(upstreams.command('accept'))
    .description('Accepts the current definitions; a running server applies them within seconds.')
    .argument('[name]', 'upstream')
    .argument('[tools...]', 'tools of the upstream; default: all')
    .option('--all', 'accept every upstream')
    .option('--digest <sha256>', 'accept only the changes that diff printed with this digest', readDigest)
    .action((name: string | undefined, tools: string[], options: AcceptOptions) => {
      const { all = false, digest } = options;
      if (all && name !== undefined)
        throw new UsageError('--all and the name of an upstream exclude each other.');
      if (!all && name === undefined) throw new UsageError('Name an upstream, or use --all.');
      run({ kind: 'accept', names: name === undefined ? [] : [name], tools, digest, ...common(options) });
    });
  withExamples(
    accept,
    ['mcp-gate upstreams accept files', 'mcp-gate upstreams accept files read_file --digest DIGEST'],
    'the definitions differ from --digest',
  );
}

function withToken(command: Command): Command {
  return command
    .option(
      '--token <->',
      'read an access token from stdin, for upstreams that need the identity of a caller',
      readDash,
    )
    .option('--json', JSON_OPTION);
}

function common({ json = false, token }: Options): Pick<Common, 'json' | 'withToken'> {
  return { json, withToken: token !== undefined };
}

function readDash(text: string): string {
  if (text !== '-')
    throw new UsageError('--token must be -: other processes can read a token on the command line.');
  return text;
}

function readDigest(text: string): string {
  if (!DIGEST.test(text)) throw new UsageError('--digest must be the digest that diff printed.');
  return text;
}
