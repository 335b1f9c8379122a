/** The size limit of an event holds for any number of lines. */
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
  const events = text.replace(/\r\n?/g, '\n').replace(/^: x\n/gm, '');
  expect((await read(text)).trim()).toBe(events.trim());
});

it.each([
  ['one long line', `data: ${'x'.repeat(LIMIT)}`],
  ['an event of many lines', `${line}\n`.repeat(50)],
  ['an event of many lines, with CR and LF', `${line}\r\n`.repeat(50)],
  ['an event of many short lines', 'data\n'.repeat(1_000)],
])('aborts %s', async (_what, text) => {
  await expect(read(text)).rejects.toThrow('larger than 1000 bytes');
});

describe('upstreamFetch: redirects', () => {
  const SECRET = 'Bearer upstream-secret';
  /** Redirects `/mcp` and answers other paths normally. */
  async function through(status: number, location: string) {
    const asked: string[] = [];
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      if (request.url === '/mcp') response.writeHead(status, { location }).end();
      else request.pipe(response.writeHead(200, { 'content-type': 'application/json' }));
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    const ask = upstreamFetch({
      url,
      headers: () => Promise.resolve({ authorization: SECRET }),
      broken: () => undefined,
      maxBytes: LIMIT,
      timeoutMs: 5_000,
    });
    return { asked, answer: ask(url, { method: 'POST', body: '{"id":1}' }) };
  }

  it.each([307, 308])('follows %i that adds the final slash of the path', async (status) => {
    const { asked, answer } = await through(status, '/mcp/');
    expect(await (await answer).text()).toBe('{"id":1}');
    expect(asked).toEqual([`POST /mcp ${SECRET}`, `POST /mcp/ ${SECRET}`]);
  });

  it.each([
    [301, '/mcp/'],
    [302, '/mcp/'],
    [303, '/mcp/'],
    [307, '/other'],
    [307, '/mcp'],
    [307, '/mcp//'],
    [307, '/mcp/?a=b'],
    [307, 'http://localhost:1/mcp/'],
    [307, '//example.com/mcp/'],
    [308, 'https://127.0.0.1/mcp/'],
    [308, 'http://user:password@127.0.0.1/mcp/'],
    [308, 'file:///mcp/'],
    [308, 'http://['],
  ])('names and rejects %i to %s', async (status, location) => {
    const { asked, answer } = await through(status, location);
    const error = (await answer.catch((caught: Error) => caught)) as Error;
    expect(error).toMatchObject({ code: 'unreachable', message: 'it redirects to another address' });
    expect((error.cause as Error).message).toMatch(/^it answered 30\d, a redirect to .*set url to it$/);
    expect((error.cause as Error).message).not.toContain('password');
    expect(asked.length).toBeLessThanOrEqual(2);
    for (const one of asked) expect(one).toMatch(/^POST \/mcp /);
  });
});
