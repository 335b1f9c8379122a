/** What `npm run upstreams` is asked to do. Pure. */
import { parseArgs } from 'node:util';
import { argumentError, type CommandUsage } from '../usage.js';

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }
  | ({ readonly kind: 'list' | 'test' | 'diff'; readonly names: readonly string[] } & Common)
  | ({
      readonly kind: 'accept';
      /** Empty: all of them. */
      readonly names: readonly string[];
      /** Of one upstream: these alone. */
      readonly tools: readonly string[];
      /** As `diff` told it: nothing is accepted where there is another now. Undefined: whatever there is. */
      readonly digest: string | undefined;
    } & Common);

interface Common {
  readonly json: boolean;
  /** An access token comes from stdin, for upstreams that open to nobody without a caller. */
  readonly withToken: boolean;
}

export const HELP = `Looks after the MCP servers that UPSTREAMS_FILE mounts.

  npm run upstreams -- list             what is mounted, under which names, and who may; asks nobody
  npm run upstreams -- test [NAME…]     starts or reaches each, and says what it has
  npm run upstreams -- diff [NAME…]     what is another now than was accepted
  npm run upstreams -- accept NAME [TOOL…]   accepts what is there now: all of it, or these tools
                          --all         of every upstream
                          --digest D    only if there is exactly what diff showed under this digest
  --token -                             an access token from stdin, for upstreams that are asked in the
                                        name of a caller (token_exchange, id_jag)
  --json                                the same as JSON (npm run -s keeps npm quiet)

A running server takes what is accepted into force within seconds, and puts it on record.
Exit code: 0 fine, 1 an upstream failed, (test) a tool cannot be mounted as the file says, or (diff) there
is something to accept, 2 wrong usage.`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  all: { type: 'boolean' },
  token: { type: 'string' },
  digest: { type: 'string' },
} as const;

export const USAGE: CommandUsage = { script: 'upstreams', options: OPTIONS };

/** SHA-256, in hexadecimal. */
const DIGEST = /^[0-9a-f]{64}$/;

/** @param known names of the upstreams that there are. */
export function readCommandLine(args: readonly string[], known: readonly string[]): Command {
  try {
    return read(args, known);
  } catch (error) {
    return wrong(argumentError(error, OPTIONS));
  }
}

function read(args: readonly string[], known: readonly string[]): Command {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const [name, ...rest] = positionals;
  if (values.help) return { kind: 'help' };
  if (values.token !== undefined && values.token !== '-') {
    return wrong('--token is -: a token on a command line is seen by other processes.');
  }
  const { digest } = values;
  if (digest !== undefined && !DIGEST.test(digest)) return wrong('--digest is the one that diff told.');
  if (digest !== undefined && name !== 'accept') return wrong(`--digest is for accept: ${name} tells it.`);
  const common = { json: values.json ?? false, withToken: values.token !== undefined };
  switch (name) {
    case 'list':
    case 'test':
    case 'diff': {
      if (values.all) return wrong(`--all is for accept: ${name} is about all of them anyway.`);
      const unknown = rest.find((one) => !known.includes(one));
      return unknown === undefined ? { kind: name, names: rest, ...common } : noSuch(unknown, known);
    }
    case 'accept': {
      const [upstream, ...tools] = rest;
      if (values.all) {
        return rest.length === 0
          ? { kind: 'accept', names: [], tools: [], digest, ...common }
          : wrong('Either --all, or the name of one.');
      }
      if (upstream === undefined) return wrong('Say which upstream, or --all.');
      if (!known.includes(upstream)) return noSuch(upstream, known);
      return { kind: 'accept', names: [upstream], tools, digest, ...common };
    }
    default:
      return wrong(name === undefined ? 'Say what to do.' : 'There is no such command.');
  }
}

function noSuch(name: string, known: readonly string[]): Command {
  return wrong(`There is no upstream ${JSON.stringify(name)}: there are ${known.join(', ')}.`);
}

function wrong(message: string): Command {
  return { kind: 'wrong', message };
}
