import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { until } from '../../../test/support/remote.js';
import { withoutQuery, boundedFetch, fetchJson } from './bounded-fetch.js';

const LIMIT = 512 * 1024;
const asked: string[] = [];
let answer: (response: ServerResponse) => void;
const server = createServer((request, response) => {
  asked.push(request.url ?? '');
  answer(response);
});
let url: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/document?appid=1`;
});
beforeEach(() => (asked.length = 0));
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const never = () => new AbortController().signal;
/** A signal with a time limit in ms, as in RemoteDocument. */
function within(milliseconds: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('time is up')), milliseconds);
  return controller.signal;
}

describe('fetchJson accepts', () => {
  it.each<[string, (response: ServerResponse) => void]>([
    ['JSON', (response) => response.end('{"a":1}')],
    [
      'JSON that says it is HTML',
      (response) => response.setHeader('content-type', 'text/html').end('{"a":1}'),
    ],
    ['gzip', (response) => response.setHeader('content-encoding', 'gzip').end(gzipSync('{"a":1}'))],
    ['as much as is allowed', (response) => response.end('{"a":1}'.padEnd(LIMIT))],
  ])('%s', async (_name, script) => {
    answer = script;
    expect(await fetchJson(url, never())).toEqual({ a: 1 });
  });
});

it.each(['application/json', 'application/jwk-set+json', 'text/plain'])(
  'sends an Accept header that a server of %s does not answer with 406',
  async (type) => {
    let accept = '';
    server.once('request', (request: IncomingMessage) => (accept = request.headers.accept ?? ''));
    answer = (response) => response.setHeader('content-type', type).end('{"a":1}');
    await fetchJson(url, never());
    const accepted = accept.split(',').map((range) => range.split(';')[0]?.trim());
    expect(accepted.includes(type) || accepted.includes('*/*')).toBe(true);
    expect(accepted).toEqual(['application/json', 'application/jwk-set+json', '*/*']);
  },
);

describe('boundedFetch rejects', () => {
  const bomb = Buffer.alloc(100 * 1024 * 1024);
  it.each<[string, (response: ServerResponse) => void, RegExp]>([
    ['a redirect', (response) => response.writeHead(302, { location: '/elsewhere' }).end(), /fetch failed/],
    ['a permanent redirect', (response) => response.writeHead(308, { location: url }).end(), /fetch failed/],
    ['another status', (response) => response.writeHead(206).end('{}'), /\/document answered 206$/],
    ['nothing new', (response) => response.writeHead(304).end(), /\/document answered 304$/],
    ['no content', (response) => response.writeHead(204).end(), /\/document answered 204$/],
    ['a status out of this world', (response) => response.writeHead(799).end('{}'), /status/],
    ['HTML', (response) => response.end('<html>busy</html>'), /\/document did not answer with JSON$/],
    ['nothing', (response) => response.end(), /\/document did not answer with JSON$/],
    ['a byte too much', (response) => response.end('{"a":1}'.padEnd(LIMIT + 1)), /larger than 524288 bytes/],
    ['a flood', flood, /larger than 524288 bytes/],
    [
      'a gzip bomb',
      (response) => response.setHeader('content-encoding', 'gzip').end(gzipSync(bomb)),
      /larger than 524288 bytes/,
    ],
    [
      'a brotli bomb',
      (response) =>
        response.setHeader('content-encoding', 'br').end(brotliCompressSync(bomb.subarray(0, 2 ** 23))),
      /larger than 524288 bytes/,
    ],
    ['a broken connection', (response) => response.destroy(), /fetch failed/],
    [
      'half an answer',
      (response) => {
        response.setHeader('content-length', 100).write('{"a":1}');
        setTimeout(() => response.destroy(), 20);
      },
      /terminated/,
    ],
  ])('%s', async (_name, script, expected) => {
    answer = script;
    await expect(fetchJson(url, never())).rejects.toThrow(expected);
    expect(asked).toEqual(['/document?appid=1']);
  });

  it('a slow response, before and after the headers, and closes the connection', async () => {
    for (const script of [() => undefined, trickle, stall]) {
      let closed = false;
      answer = (response) => {
        response.on('close', () => (closed = true));
        script(response);
      };
      await expect(fetchJson(url, within(200))).rejects.toThrow('time is up');
      await until(() => closed);
    }
  });

  it('a slow response without a signal of the caller', async () => {
    answer = trickle;
    const begin = performance.now();
    await expect(boundedFetch(url)).rejects.toThrow('/document gave no answer within 5000 ms');
    expect(performance.now() - begin).toBeGreaterThan(4_900);
  }, 15_000);
});

it('passes other options on', async () => {
  answer = (response) => response.writeHead(401).end(response.req.method);
  const response = await boundedFetch(url, { method: 'POST', body: 'a=b' });
  expect([response.status, await response.text()]).toEqual([401, 'POST']);
});

it('withoutQuery removes the query of a URL', () => {
  expect(withoutQuery('https://h/keys?appid=1#a')).toBe('https://h/keys');
});

function flood(response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write(' '.repeat(64 * 1024)));
  };
  response.on('drain', more);
  more();
}

function trickle(response: ServerResponse): void {
  response.write('{');
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(timer));
}

/** Collects garbage meanwhile: a deadline must not depend on an unreferenced object. */
function stall(response: ServerResponse): void {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  response.write('{');
  const timer = setInterval(collectGarbage, 50);
  response.on('close', () => clearInterval(timer));
}
