/** Of a stream of events no event is larger than it may be, in however many lines it comes. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { upstreamFetch } from './upstream-fetch.js';

const LIMIT = 1_000;
let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function read(...chunks: string[]): Promise<string> {
  server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const chunk of chunks) response.write(chunk);
    response.end();
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const fetch = upstreamFetch({
    url,
    headers: () => Promise.resolve({}),
    broken: () => undefined,
    maxBytes: LIMIT,
    timeoutMs: 5_000,
  });
  return (await fetch(url, { method: 'POST', body: '{}' })).text();
}

const line = `data: ${'x'.repeat(90)}`;

it.each([
  ['many events', `${line}\n\n`.repeat(50)],
  ['many events, with CR and LF', `${line}\r\n${line}\r\n\r\n`.repeat(50)],
  ['many events, with CR alone', `${line}\r\r`.repeat(50)],
  ['comments without end', `${line}\n${': x\n'.repeat(1_000)}${line}\n\n`],
])('reads %s', async (_what, text) => {
  await expect(read(text)).resolves.toBe(text);
});

it.each([
  ['one long line', `data: ${'x'.repeat(LIMIT)}`],
  ['an event of many lines', `${line}\n`.repeat(50)],
  ['an event of many lines, with CR and LF', `${line}\r\n`.repeat(50)],
  ['an event of many short lines', 'data\n'.repeat(1_000)],
])('breaks off %s', async (_what, text) => {
  await expect(read(text)).rejects.toThrow('larger than 1000 bytes');
});
