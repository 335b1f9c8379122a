/** An HTTP upstream with endless requests or reconnects does not cause endless requests of the gateway. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openTransport } from './open-transport.js';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function transportTo(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  server = createServer(answer);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const settings = {
    name: 'far',
    transport: 'http',
    url,
    auth: undefined,
    tools: [],
    maxAnswerBytes: 10_000,
    callTimeoutMs: 5_000,
    connectTimeoutMs: 5_000,
    listTimeoutMs: 5_000,
  };
  const transport = openTransport(settings as never, {
    key: '',
    folder: '/',
    processes: new Set(),
    headers: () => Promise.resolve({}),
    onStderr: () => undefined,
    onExit: () => undefined,
    broken: () => undefined,
  });
  transport.onerror = () => undefined;
  await transport.start();
  return transport;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it('limits concurrent answers to requests of the upstream', async () => {
  let posts = 0;
  const transport = await transportTo(() => (posts += 1));
  const sent = Array.from({ length: 100 }, (_, id) =>
    transport.send({ jsonrpc: '2.0', id, result: {} }).catch(() => undefined),
  );
  await pause(300);
  expect(posts).toBe(8);
  await transport.close();
  await Promise.all(sent);
});

it('waits before it reopens a stream that ends at once', async () => {
  let streams = 0;
  const transport = await transportTo((request, response) => {
    if (request.method === 'POST') {
      response.writeHead(202).end();
      return;
    }
    streams += 1;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end('retry: 0\nid: 1\ndata:\n\n');
  });
  await transport.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  await pause(1_500);
  await transport.close();
  expect(streams).toBeGreaterThan(0);
  expect(streams).toBeLessThan(4);
});
