/** The text of a demo that keeps running: how to connect a client and how to log in. */
import { findPerson, PERSON_NAMES } from './people.js';
import type { Stage } from './stage.js';

/** The name of the server in the configuration of each client. */
const NAME = 'demo';

export function keptInstructions({ resource, issuer, auditLog }: Stage): string {
  const entry = JSON.stringify({ servers: { [NAME]: { type: 'http', url: resource } } });
  const people = PERSON_NAMES.map((name) => {
    const { roles = [], scopes = [] } = findPerson(name) ?? {};
    return `  ${name.padEnd(6)} role ${roles.join(', ')}; ${scopes.length > 0 ? `scopes ${scopes.join(', ')}` : 'no scopes'}`;
  });
  return `The issuer and the server keep running.

MCP server  ${resource}
Issuer      ${issuer.issuer}
Audit log   ${auditLog ?? 'unknown'} (deleted at the end)

Connect a client
  MCP Inspector  npx @modelcontextprotocol/inspector --transport http --server-url ${resource}
                 Open the printed URL and connect.
  Claude Code    claude mcp add --transport http ${NAME} ${resource}
                 Then run /mcp in a session and authenticate. Remove it with: claude mcp remove ${NAME}
  VS Code        .vscode/mcp.json: ${entry}
                 Then start the server ${NAME} with the command "MCP: List Servers".

Log in as one of three people: the browser shows a page with their names. No password is needed.
${people.join('\n')}
To change the person, clear the login in the client and connect again.
A client without a login takes a token:
  node dist-demo/token-main --person ${PERSON_NAMES[0]} --issuer ${issuer.issuer} --resource ${resource}

Press Ctrl+C to stop the issuer and the server.`;
}
