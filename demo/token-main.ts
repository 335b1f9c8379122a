/** Prints an access token of the demo issuer: `node dist-demo/token-main --issuer URL --resource URL --person alice`. */
import { parseArgs } from 'node:util';
import { logIn, readDemoIssuer, registerApp } from './oauth.js';
import { PERSON_NAMES, TOOL_SCOPES } from './people.js';

const HELP = `Logs a person in at the demo issuer and prints an access token on stdout.

  node dist-demo/token-main --person NAME [--issuer URL] [--resource URL] [--scope "SCOPE …"]

  --person NAME    ${PERSON_NAMES.join(', ')}
  --issuer URL     the demo issuer; http://127.0.0.1:3001 by default
  --resource URL   resource identifier of the MCP server; http://127.0.0.1:3000/mcp by default
  --scope SCOPES   requested scopes, separated by spaces; all scopes of the demo by default. The issuer grants those
                   that the person has.`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      person: { type: 'string' },
      issuer: { type: 'string', default: 'http://127.0.0.1:3001' },
      resource: { type: 'string', default: 'http://127.0.0.1:3000/mcp' },
      scope: { type: 'string', default: TOOL_SCOPES.join(' ') },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const { person, resource, scope, help } = values;
  if (help) return console.log(HELP);
  if (person === undefined || !PERSON_NAMES.includes(person)) {
    throw new Error(`--person must be one of ${PERSON_NAMES.join(', ')}`);
  }
  const issuer = await readDemoIssuer(values.issuer);
  const app = await registerApp(issuer, 'Tutorial');
  console.log(await logIn(issuer, app, { person, scope, resource }));
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
