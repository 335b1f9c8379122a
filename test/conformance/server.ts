/**
 * The server under test: the production application with the fixtures and a trusted issuer. `run.mjs` starts it with
 * the public origin and a data folder and receives its port. The process ends with the runner.
 */
import type { AddressInfo, Server } from 'node:net';
import { createApp } from '../../src/create-app.js';
import { ConformanceModule } from './fixtures/conformance.module.js';
import { startIssuer } from './issuer.js';

const HOST = '127.0.0.1';
const MCP_PATH = '/mcp';

async function main(publicUrl: string, dataDir: string): Promise<void> {
  const issuer = await startIssuer();
  const env = {
    HOST,
    PUBLIC_URL: publicUrl,
    MCP_PATH,
    AUTH_ISSUER: issuer.url,
    TOOL_ALLOW_LIST: '*',
    RATE_LIMIT_PER_MINUTE: '0',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'info',
  };
  const app = await createApp(env, { imports: [ConformanceModule] });
  // `app.listen()` would use the configured port, which can be in use; behind the proxy any free port works.
  await app.nest.listen(0, HOST);
  const { port } = (app.nest.getHttpServer() as Server).address() as AddressInfo;
  process.once('disconnect', () => void app.close().finally(() => process.exit(0)));
  process.send?.({ port, token: await issuer.issueToken(publicUrl + MCP_PATH) });
}

const [publicUrl = '', dataDir = ''] = process.argv.slice(2);
main(publicUrl, dataDir).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
