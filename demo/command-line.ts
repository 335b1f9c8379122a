/** What `npm run demo` takes. */
import { parseArgs } from 'node:util';

export const HELP = `Three agents act for three people against the server, and show what the gate lets them do.

  npm run demo                                    starts a demo issuer, a mail server and the built server, all on
                                                  loopback and all temporary, and runs the agents
  npm run demo -- --server URL --issuer URL       runs the agents against a server and a demo issuer that are there
                                                  already; customers and e-mails of that server are really touched

Options
  --server URL    the MCP endpoint, for example http://127.0.0.1:3000/mcp
  --issuer URL    the demo issuer that this server trusts; start one with: node dist-demo/issuer-main --help
  --audit-log FILE   the audit log of that server, to compare it with what the agents saw
  --help          this text

Exit code: 0 when everything was as expected, 1 when something differs or fails, 2 when the command line is wrong.`;

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }
  | { readonly kind: 'own' }
  | {
      readonly kind: 'external';
      readonly server: string;
      readonly issuer: string;
      readonly auditLog: string | undefined;
    };

export function readCommandLine(args: readonly string[]): Command {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        server: { type: 'string' },
        issuer: { type: 'string' },
        auditLog: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return commandOf(values);
  } catch (error) {
    return { kind: 'wrong', message: (error as Error).message };
  }
}

function commandOf(values: { server?: string; issuer?: string; auditLog?: string; help?: boolean }): Command {
  const { server, issuer, auditLog, help } = values;
  if (help) return { kind: 'help' };
  if (server === undefined && issuer === undefined) {
    if (auditLog === undefined) return { kind: 'own' };
    return { kind: 'wrong', message: '--audit-log goes with --server and --issuer' };
  }
  if (server === undefined || issuer === undefined) {
    return { kind: 'wrong', message: '--server and --issuer go together' };
  }
  for (const url of [server, issuer]) {
    if (!URL.canParse(url)) return { kind: 'wrong', message: `${url} is not a URL` };
  }
  return { kind: 'external', server, issuer, auditLog };
}
