/** What the doctor is asked to do. Pure. */
import type { CommandUsage } from '../usage.js';

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }
  | { readonly kind: 'configuration' | 'start'; readonly json: boolean }
  /** Undefined: the token is on stdin. */
  | { readonly kind: 'token'; readonly json: boolean; readonly token: string | undefined };

export const HELP = `Says why a token is refused, or what is wrong with the configuration, and what to change.

  npm run doctor                    the configuration, and metadata and keys of every issuer
  npm run doctor -- --config        the same
  npm run doctor -- --start         would the server start? settings, names, upstreams, policy; no issuer is asked
  npm run doctor -- -               a token, read from stdin:  pbpaste | npm run doctor -- -
  npm run doctor -- TOKEN           a token; other processes see a command line, the shell keeps it,
                                    and npm prints it: use stdin for any token that still works
  --json                            the same findings as one JSON object (npm run -s keeps npm quiet)
  --help                            this

It reads the variables that the server reads, asks the issuers, and opens neither a port, nor the
database, nor the audit log. It needs \`npm run build\` once.

"there:" is what to change at the provider or in the client, "here:" in the configuration of this server.
It never prints the token. Exit code: 0 good, 1 not good, 2 wrong usage.`;

export const USAGE: CommandUsage = {
  script: 'doctor',
  options: {
    help: { type: 'boolean', short: 'h' },
    json: { type: 'boolean' },
    config: { type: 'boolean' },
    start: { type: 'boolean' },
  },
};

/** Messages never repeat an argument: it may be a token. */
export function readCommandLine(args: readonly string[]): Command {
  const options = args.filter((argument) => argument.startsWith('-') && argument !== '-');
  const words = args.filter((argument) => !options.includes(argument));
  if (options.includes('--help') || options.includes('-h')) return { kind: 'help' };
  if (options.some((option) => !['--json', '--config', '--start'].includes(option))) {
    return { kind: 'wrong', message: 'There is an option that the doctor does not know.' };
  }
  const json = options.includes('--json');
  const [what, more] = ['--config', '--start'].filter((option) => options.includes(option));
  if (more !== undefined) return { kind: 'wrong', message: `Either ${what} or ${more}, not both.` };
  if (words.length === 0) return { kind: what === '--start' ? 'start' : 'configuration', json };
  if (what !== undefined) return { kind: 'wrong', message: `Either ${what} or a token, not both.` };
  if (words.includes('-') && words.length > 1) {
    return { kind: 'wrong', message: 'Either - (the token is on stdin) or a token, not both.' };
  }
  // "Bearer TOKEN" without quotes is two arguments.
  if (words.length > 1 && !(words.length === 2 && /^(bearer|dpop)$/i.test(words[0] as string))) {
    return { kind: 'wrong', message: 'One token at a time.' };
  }
  return { kind: 'token', json, token: words[0] === '-' ? undefined : words.join(' ') };
}
