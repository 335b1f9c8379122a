/** The lower limit: `node:http`, token check with jose, JSON.parse, one look-up. `--open` omits the token check. */
import * as jose from 'jose';
import { createServer } from 'node:http';
import { bearerCheck } from '../lib/bearer.mjs';
import { ANSWER, INPUT_PROPERTIES, readJob, TOOL_DESCRIPTION, toolNames } from '../lib/workload.mjs';

const job = readJob();
const check = process.argv.includes('--open') ? async () => undefined : bearerCheck(jose, job);
const inputSchema = { type: 'object', properties: INPUT_PROPERTIES, required: ['customer_id'] };
const entries = toolNames(job.tools).map((name) => ({ name, description: TOOL_DESCRIPTION, inputSchema }));
const tools = new Map(
  entries.map(({ name }) => [name, () => ({ content: [{ type: 'text', text: ANSWER }] })]),
);

function answer({ id, method, params }) {
  if (method === 'tools/list') return { jsonrpc: '2.0', id, result: { tools: entries } };
  const tool = tools.get(params.name);
  if (!tool) return { jsonrpc: '2.0', id, error: { code: -32602, message: 'Unknown tool' } };
  return { jsonrpc: '2.0', id, result: tool(params.arguments) };
}

const server = createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    check(request.headers.authorization).then(
      () => {
        const text = JSON.stringify(answer(JSON.parse(Buffer.concat(pieces).toString())));
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
        });
        response.end(text);
      },
      () => response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end(),
    );
  });
});
server.keepAliveTimeout = 75_000;
server.listen(job.port, '127.0.0.1', () => process.send('listening'));
process.once('disconnect', () => process.exit(0));
