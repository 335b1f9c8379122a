/** The command line of `npm run demo`. */
import { parseArgs } from 'node:util';

export const HELP = `Three agents call the server for three people and print the decision of each call.

  npm run demo
      Starts a demo issuer, a mail server and the built server on loopback, runs the agents, and removes everything.
  npm run demo -- --keep
      Does the same, then leaves the issuer and the server running until Ctrl+C, for your own MCP client.
  npm run demo -- --server URL --issuer URL
      Runs the agents against a running server and demo issuer. They change customers and send e-mails there.

Options
  --keep               keep the issuer and the server running; prints how to connect a client
  --port NUMBER        with --keep: port of the server (default 3000)
  --issuer-port NUMBER with --keep: port of the issuer (default 3001)
  --server URL         the MCP endpoint, for example http://127.0.0.1:3000/mcp
  --issuer URL         the demo issuer that this server trusts; start one with: node dist-demo/issuer-main --help
  --audit-log FILE     with --server: the audit log of that server, compared with the results of the agents
  --help               print this text

Exit code: 0 when all results are as expected, 1 when a result differs or the demo fails, 2 when the command line is wrong.`;

const DEFAULT_PORT = 3000;
const DEFAULT_ISSUER_PORT = 3001;

/** Fixed ports of a demo that keeps running. */
export interface KeptPorts {
  readonly server: number;
  readonly issuer: number;
}

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }
  /** `kept`: unset, the demo ends after the agents and uses free ports. */
  | { readonly kind: 'own'; readonly kept: KeptPorts | undefined }
  | {
      readonly kind: 'external';
      readonly server: string;
      readonly issuer: string;
      readonly auditLog: string | undefined;
    };

interface Values {
  readonly keep?: boolean;
  readonly port?: string;
  readonly 'issuer-port'?: string;
  readonly server?: string;
  readonly issuer?: string;
  readonly 'audit-log'?: string;
  readonly help?: boolean;
}

export function readCommandLine(args: readonly string[]): Command {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        keep: { type: 'boolean' },
        port: { type: 'string' },
        'issuer-port': { type: 'string' },
        server: { type: 'string' },
        issuer: { type: 'string' },
        'audit-log': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return commandOf(values);
  } catch (error) {
    return { kind: 'wrong', message: (error as Error).message };
  }
}

function commandOf(values: Values): Command {
  const { keep, port, 'issuer-port': issuerPort, server, issuer, 'audit-log': auditLog, help } = values;
  if (help) return { kind: 'help' };
  if (!keep && (port !== undefined || issuerPort !== undefined)) {
    return { kind: 'wrong', message: '--port and --issuer-port require --keep' };
  }
  if (server === undefined && issuer === undefined) {
    if (auditLog !== undefined)
      return { kind: 'wrong', message: '--audit-log requires --server and --issuer' };
    return keep ? keptCommand(port, issuerPort) : { kind: 'own', kept: undefined };
  }
  if (server === undefined || issuer === undefined) {
    return { kind: 'wrong', message: '--server and --issuer require each other' };
  }
  if (keep) return { kind: 'wrong', message: '--keep cannot be combined with --server and --issuer' };
  for (const url of [server, issuer]) {
    if (!URL.canParse(url)) return { kind: 'wrong', message: `${url} is not a URL` };
  }
  return { kind: 'external', server, issuer, auditLog };
}

function keptCommand(port: string | undefined, issuerPort: string | undefined): Command {
  const kept = {
    server: portOf(port, DEFAULT_PORT),
    issuer: portOf(issuerPort, DEFAULT_ISSUER_PORT),
  };
  for (const [option, number] of [
    ['--port', kept.server] as const,
    ['--issuer-port', kept.issuer] as const,
  ]) {
    if (!(number >= 1 && number <= 65_535)) {
      return { kind: 'wrong', message: `${option} must be a number from 1 to 65535` };
    }
  }
  if (kept.server === kept.issuer) {
    return { kind: 'wrong', message: `--port and --issuer-port must differ: both are ${kept.server}` };
  }
  return { kind: 'own', kept };
}

function portOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  return /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
}
