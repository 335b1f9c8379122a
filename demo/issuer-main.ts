/** Runs the demo issuer alone: `node dist-demo/issuer-main --port 4000 --resource http://127.0.0.1:3000/mcp`. */
import { parseArgs } from 'node:util';
import { startDemoIssuer } from './issuer.js';
import { PERSON_NAMES } from './people.js';

const HELP = `An OAuth 2.1 issuer on loopback that logs in a user by name, without a password. For tests only.

  node dist-demo/issuer-main --resource URL [--port NUMBER] [--person NAME]

  --resource URL   resource identifier of the MCP server, for example http://127.0.0.1:3000/mcp
  --port NUMBER    port; default: any free port
  --person NAME    user for requests without login_hint: ${PERSON_NAMES.join(', ')}`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      resource: { type: 'string' },
      person: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  if (values.resource === undefined || !URL.canParse(values.resource)) {
    throw new Error('--resource must be the URL of the MCP server, for example http://127.0.0.1:3000/mcp');
  }
  if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
    throw new Error('--port must be a number from 0 to 65535');
  }
  const issuer = await startDemoIssuer({
    port: Number(values.port),
    resource: values.resource,
    ...(values.person !== undefined && { defaultPerson: values.person }),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void issuer.close());
  console.log(
    `Demo issuer ${issuer.url}, tokens for ${values.resource}\nThe server needs AUTH_ISSUER=${issuer.url}`,
  );
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
