/** Command line of `mcp-gate revoke`. */
import type { Command } from 'commander';
import { readDateTime } from '../../lib/date-time.js';
import type { RevocationKind } from '../../revocation/revocation.js';
import { JSON_OPTION, withExamples } from '../help.js';
import { UsageError } from '../usage.js';

interface Common {
  /** Set: use the API of a running server, with a token from stdin. */
  readonly server: string | undefined;
  readonly json: boolean;
}

export type RevokeRequest =
  | ({
      readonly kind: 'revoke';
      readonly what: RevocationKind;
      /** Undefined for an issuer. */
      readonly value: string | undefined;
      /** Undefined: the only configured issuer. */
      readonly issuer: string | undefined;
      /** RFC 3339. Undefined: now. */
      readonly issuedBefore: string | undefined;
      readonly reason: string | undefined;
      /** Undefined: user and host of this machine. */
      readonly by: string | undefined;
    } & Common)
  | ({ readonly kind: 'list' } & Common)
  | ({ readonly kind: 'withdraw'; readonly id: string } & Common);

interface CommonOptions {
  readonly server?: string;
  readonly json?: boolean;
}

interface RevokeOptions extends CommonOptions {
  readonly issuer?: string;
  readonly issuedBefore?: string;
  readonly reason?: string;
  readonly by?: string;
}

const NAMED: readonly (readonly [Exclude<RevocationKind, 'issuer'>, string, string])[] = [
  ['subject', 'sub', 'every token of a user that was issued until now'],
  ['client', 'client-id', 'every token of a client'],
  ['session', 'sid', 'every token of one login'],
  ['token', 'jti', 'one token'],
];

export function declareRevoke(program: Command, run: (request: RevokeRequest) => void): void {
  const revoke = program
    .command('revoke')
    .description('Revokes tokens before they expire, at every instance, within a second.')
    .addHelpText(
      'after',
      '\nWithout --server, the command writes to DATABASE_URL. Tokens issued later are valid: lock the user at the identity provider, too.',
    );
  withExamples(revoke, [
    'mcp-gate revoke subject alice --reason "left the company"',
    'mcp-gate revoke list --server https://gate.example.com < admin-token',
  ]);

  for (const [what, name, meaning] of NAMED) {
    const command = withRevocation(revoke.command(what))
      .description(`Revokes ${meaning}.`)
      .argument(`<${name}>`)
      .action((value: string, options: RevokeOptions) => run(requestOf(what, value, options)));
    withExamples(command, [`mcp-gate revoke ${what} ${name.toUpperCase()} --reason TEXT`]);
  }
  const issuer = withRevocation(revoke.command('issuer'))
    .description('Revokes every token of an issuer; --issuer names it.')
    .action((options: RevokeOptions) => run(requestOf('issuer', undefined, options)));
  withExamples(issuer, ['mcp-gate revoke issuer --issued-before 2026-11-24T10:00:00Z']);

  const list = withCommon(revoke.command('list'))
    .description('Lists the revocations in force.')
    .action((options: CommonOptions) => run({ kind: 'list', ...common(options) }));
  withExamples(list, ['mcp-gate revoke list --json']);

  const withdraw = withCommon(revoke.command('withdraw'))
    .description('Withdraws a revocation.')
    .argument('<id>', 'of the revocation')
    .action((id: string, options: CommonOptions) => run({ kind: 'withdraw', id, ...common(options) }));
  withExamples(withdraw, ['mcp-gate revoke withdraw ID'], 'no revocation has this id');
}

function withRevocation(command: Command): Command {
  return withCommon(
    command
      .option('--issuer <iss>', 'issuer of the tokens; required if several are configured')
      .option('--issued-before <time>', 'time to use in place of now (RFC 3339)', readMoment)
      .option('--reason <text>', 'on record')
      .option('--by <name>', 'recorded as the administrator; default: user and host of this machine'),
  );
}

function withCommon(command: Command): Command {
  return command
    .option(
      '--server <url>',
      'send the request to a running server (its PUBLIC_URL) with an administrator token on stdin; required for the embedded database',
    )
    .option('--json', JSON_OPTION);
}

function requestOf(what: RevocationKind, value: string | undefined, options: RevokeOptions): RevokeRequest {
  const { issuer, issuedBefore, reason, by } = options;
  if (by !== undefined && options.server !== undefined) {
    throw new UsageError('--by has no effect with --server: the token identifies the administrator.');
  }
  return { kind: 'revoke', what, value, issuer, issuedBefore, reason, by, ...common(options) };
}

function common({ server, json = false }: CommonOptions): Common {
  return { server, json };
}

function readMoment(text: string): string {
  if (readDateTime(text) === undefined) {
    throw new UsageError(
      '--issued-before must be a time with a zone (RFC 3339), for example 2026-11-24T10:00:00Z.',
    );
  }
  return text;
}
