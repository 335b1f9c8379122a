/** What `npm run revoke` is asked to do. Pure. */
import { parseArgs } from 'node:util';
import { argumentError, type CommandUsage } from '../usage.js';
import { REVOCATION_KINDS } from '../../revocation/revocation.js';

interface Common {
  /** Set: a running server is asked, with a token from stdin. */
  readonly server: string | undefined;
  readonly json: boolean;
}

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }
  | ({
      readonly kind: 'revoke';
      /** As the administration takes them. */
      readonly members: Readonly<Record<string, unknown>>;
      readonly by: string | undefined;
    } & Common)
  | ({ readonly kind: 'list' } & Common)
  | ({ readonly kind: 'withdraw'; readonly id: string } & Common);

export const HELP = `Takes tokens out of force before they expire, at every instance, within a second.

  npm run revoke -- subject SUB         every token of a person that was issued until now
  npm run revoke -- client CLIENT_ID    of a client
  npm run revoke -- session SID         of one login
  npm run revoke -- token JTI           one token
  npm run revoke -- issuer              every token of an issuer
      --issuer ISS                      needed where there are several
      --issued-before TIME              another moment than now (RFC 3339)
      --reason TEXT  --by NAME          on record; NAME is who you are on this machine, if not said
  npm run revoke -- list                what is in force
  npm run revoke -- withdraw ID         takes one back
  --server URL                          asks a running server (its PUBLIC_URL), with an administrator's token
                                        from stdin; for the embedded database there is no other way
  --json                                the same as JSON (npm run -s keeps npm quiet)

A name that the audit log at hand has never held is revoked all the same, with a note on stderr.
Without --server it reads the variables that the server reads, and writes to DATABASE_URL. A token that is
issued later is good again: lock the person out at the identity provider, too.
Exit code: 0 done, 1 not done, 2 wrong usage.`;

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  server: { type: 'string' },
  issuer: { type: 'string' },
  'issued-before': { type: 'string' },
  reason: { type: 'string' },
  by: { type: 'string' },
} as const;

export const USAGE: CommandUsage = { script: 'revoke', options: OPTIONS };

const OF_REVOKING = ['issuer', 'issued-before', 'reason', 'by'];

/** @param onlyIssuer the one that there is; undefined where there are several. */
export function readCommandLine(args: readonly string[], onlyIssuer: () => string | undefined): Command {
  try {
    return read(args, onlyIssuer);
  } catch (error) {
    // Faults of the variables are not faults of the command line.
    if ((error as Error).name === 'ConfigurationError') throw error;
    return wrong(argumentError(error, OPTIONS));
  }
}

function read(args: readonly string[], onlyIssuer: () => string | undefined): Command {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const [name, value, more] = positionals;
  if (values.help) return { kind: 'help' };
  if (name === undefined) return wrong('Say what to revoke.');
  if (more !== undefined) return wrong('One thing at a time.');
  const common = { server: values.server, json: values.json ?? false };
  const stray = Object.keys(values).find((option) => OF_REVOKING.includes(option));
  if (name === 'list' || name === 'withdraw') {
    if (stray !== undefined) return wrong(`--${stray} has no effect for ${name}.`);
    if (name === 'list')
      return value === undefined ? { kind: 'list', ...common } : wrong('list takes no name.');
    return value === undefined ? wrong('withdraw needs an id.') : { kind: 'withdraw', id: value, ...common };
  }
  if (!(REVOCATION_KINDS as readonly string[]).includes(name)) {
    return wrong(`${name} is none of ${REVOCATION_KINDS.join(', ')}, list, withdraw.`);
  }
  if ((value === undefined) !== (name === 'issuer')) {
    return wrong(name === 'issuer' ? 'issuer is named by --issuer.' : `${name} needs a name.`);
  }
  const issuer = values.issuer ?? onlyIssuer();
  if (issuer === undefined) return wrong('--issuer is needed: there is not exactly one.');
  const members = {
    kind: name,
    issuer,
    ...(value !== undefined && { value }),
    ...(values['issued-before'] !== undefined && { issued_before: values['issued-before'] }),
    ...(values.reason !== undefined && { reason: values.reason }),
  };
  return { kind: 'revoke', members, by: values.by, ...common };
}

function wrong(message: string): Command {
  return { kind: 'wrong', message };
}
