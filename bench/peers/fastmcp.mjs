/** `fastmcp` with its HTTP stream without sessions and its own `authenticate`. Supports 2025-11-25 and older. */
import { FastMCP } from 'fastmcp';
import * as jose from 'jose';
import { bearerCheck } from '../lib/bearer.mjs';
import { ANSWER, readJob, TOOL_DESCRIPTION, toolNames } from '../lib/workload.mjs';
import { input } from './shared.mjs';

const job = readJob();
const check = bearerCheck(jose, job);
const silent = () => undefined;
const server = new FastMCP({
  name: 'bench',
  version: '1.0.0',
  logger: { debug: silent, error: silent, info: silent, log: silent, warn: silent },
  authenticate: (request) =>
    check(request.headers.authorization).catch(() => {
      throw new Response(null, { status: 401, statusText: 'Unauthorized' });
    }),
});
for (const name of toolNames(job.tools)) {
  server.addTool({ name, description: TOOL_DESCRIPTION, parameters: input, execute: async () => ANSWER });
}
await server.start({
  transportType: 'httpStream',
  httpStream: {
    port: job.port,
    host: '127.0.0.1',
    endpoint: '/mcp',
    stateless: true,
    enableJsonResponse: true,
  },
});
process.send('listening');
process.once('disconnect', () => process.exit(0));
