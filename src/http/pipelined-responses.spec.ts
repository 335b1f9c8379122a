import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { until } from '../../test/support/remote.js';
import { closePipelinedResponses } from './pipelined-responses.js';

const REQUEST = 'GET / HTTP/1.1\r\nHost: gate\r\n\r\n';

describe('closePipelinedResponses', () => {
  let server: Server;
  let client: Socket;
  let responses: ServerResponse[];
  let closed: number[];

  beforeEach(async () => {
    [responses, closed] = [[], []];
    server = createServer((_request, response) => {
      const at = responses.push(response) - 1;
      response.on('close', () => closed.push(at));
    });
    closePipelinedResponses(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
    await once(client, 'connect');
    client.write(REQUEST.repeat(3));
    await until(() => responses.length === 3);
  });
  afterEach(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });

  it('closes every queued response when the client disconnects', async () => {
    expect(responses.map(({ socket }) => socket !== null)).toEqual([true, false, false]);
    client.destroy();
    await until(() => closed.length === 3);
    expect([...closed].sort((a, b) => a - b)).toEqual([0, 1, 2]);
    expect(responses.slice(1).map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });

  it('closes a response once, although it left the queue before the client disconnects', async () => {
    responses[0]?.end('first');
    await until(() => responses[1]?.socket != null);
    client.destroy();
    await until(() => closed.length === 3);
    await new Promise((resolve) => setImmediate(resolve));
    expect([...closed].sort((a, b) => a - b)).toEqual([0, 1, 2]);
  });

  it('leaves responses of other connections open', async () => {
    const other = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(other, 'connect');
    other.write(REQUEST.repeat(2));
    await until(() => responses.length === 5);
    client.destroy();
    await until(() => closed.length === 3);
    expect(responses.slice(3).map(({ destroyed }) => destroyed)).toEqual([false, false]);
    other.destroy();
    await until(() => closed.length === 5);
  });
});
