/** SDK v1 (`@modelcontextprotocol/sdk`) with its `requireBearerAuth`; one server per request, JSON responses. */
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import * as jose from 'jose';
import { bearerCheck } from '../lib/bearer.mjs';
import { ANSWER, readJob, TOOL_DESCRIPTION, toolNames } from '../lib/workload.mjs';
import { inputShape } from './shared.mjs';

const job = readJob();
const check = bearerCheck(jose, job);
const names = toolNames(job.tools);

async function verifyAccessToken(token) {
  const claims = await check(`Bearer ${token}`).catch(() => {
    throw new InvalidTokenError('invalid token');
  });
  return { token, clientId: claims.client_id, scopes: claims.scope.split(' '), expiresAt: claims.exp };
}

const app = express();
app.use(express.json());
app.post('/mcp', requireBearerAuth({ verifier: { verifyAccessToken } }), async (request, response) => {
  const server = new McpServer({ name: 'bench', version: '1.0.0' });
  for (const name of names) {
    server.registerTool(name, { description: TOOL_DESCRIPTION, inputSchema: inputShape }, () => ({
      content: [{ type: 'text', text: ANSWER }],
    }));
  }
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: undefined,
    enableJsonResponse: true,
  });
  response.on('close', () => {
    void transport.close();
    void server.close();
  });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
const server = app.listen(job.port, '127.0.0.1', () => process.send('listening'));
server.keepAliveTimeout = 75_000;
process.once('disconnect', () => process.exit(0));
