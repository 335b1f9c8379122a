/**
 * The server under test, as production builds it, with the fixtures added and an issuer that it trusts beside it.
 * `run.mjs` starts it with the public origin and a data folder, is told where it listens, and owns it: when the runner
 * is gone, this process ends too.
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
  // Not `app.listen()`: the port of the settings may be in use, and a free one is as good behind the proxy.
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
