import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '../../../test/support/remote.js';
import { Drain } from './drain.js';

let drain: Drain;
let server: Server;
/** Unsent responses of the server. */
let open: ServerResponse[];

beforeEach(async () => {
  open = [];
  drain = new Drain();
  server = createServer((_request, response) => void open.push(response));
  drain.watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** Sends a request; resolves to the response or to an error code. */
function ask(): Promise<IncomingMessage | string> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve) => {
    request({ host: '127.0.0.1', port })
      .on('response', (response) => resolve(response.resume()))
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      .end();
  });
}

it('counts the requests in progress', async () => {
  const answered = ask();
  await until(() => open.length === 1);
  expect(drain.inFlight).toBe(1);
  open[0]?.end();
  await answered;
  await until(() => drain.inFlight === 0);
});

it('keeps connections alive until the drain begins, and closes each with its answer from then on', async () => {
  const headerOf = async () => {
    const answered = ask();
    await until(() => open.length === 1);
    open.pop()?.end();
    return ((await answered) as IncomingMessage).headers.connection;
  };
  expect(drain.isDraining).toBe(false);
  expect(await headerOf()).toBe('keep-alive');
  drain.begin();
  expect(drain.isDraining).toBe(true);
  expect(await headerOf()).toBe('close');
});

it('finishes at once without open connections', async () => {
  drain.begin();
  const abort = jest.fn();
  expect(await drain.finish(server, 10_000, abort)).toBe(0);
  expect(abort).not.toHaveBeenCalled();
});

it('waits for a request that ends within the grace period', async () => {
  const answered = ask();
  await until(() => open.length === 1);
  drain.begin();
  server.close();
  const finished = drain.finish(server, 10_000, () => undefined);
  open[0]?.end('done');
  expect(await finished).toBe(0);
  expect((await answered) as IncomingMessage).toMatchObject({ statusCode: 200 });
});

it('aborts a request after the grace period', async () => {
  const answered = ask();
  await until(() => open.length === 1);
  drain.begin();
  server.close();
  const abort = jest.fn();
  expect(await drain.finish(server, 10, abort)).toBe(1);
  expect(abort).toHaveBeenCalledTimes(1);
  expect(await answered).toBe('ECONNRESET');
});

it('sends the answer of an aborted call within its last second', async () => {
  const answered = ask();
  await until(() => open.length === 1);
  drain.begin();
  server.close();
  expect(await drain.finish(server, 10, () => void open[0]?.writeHead(503).end())).toBe(1);
  expect(await answered).toMatchObject({ statusCode: 503 });
});
