/** The server of the SDK (v2) with the benchmark tools, created for each request as its documentation says. */
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createRequire } from 'node:module';
import { ANSWER, INPUT_PROPERTIES, TOOL_DESCRIPTION, toolNames } from './workload.mjs';

// The zod version of the SDK, because zod is no dependency of this project.
const sdk = createRequire(createRequire(import.meta.url).resolve('@modelcontextprotocol/server'));
const { z } = sdk('zod');

const inputSchema = z.object({
  customer_id: z.string().describe(INPUT_PROPERTIES.customer_id.description),
  limit: z.number().int().optional().describe(INPUT_PROPERTIES.limit.description),
});

export function sdkHandler(count) {
  const names = toolNames(count);
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'bench', version: '1.0.0' });
    for (const name of names) {
      server.registerTool(name, { description: TOOL_DESCRIPTION, inputSchema }, () => ({
        content: [{ type: 'text', text: ANSWER }],
      }));
    }
    return server;
  });
  return toNodeHandler(handler);
}
