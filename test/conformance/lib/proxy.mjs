/**
 * Proxy between the suite and the server: the suite cannot send an `Authorization` header, so the proxy adds it. All
 * other headers pass unchanged, because scenarios test `Host` and `Origin`.
 */
import http from 'node:http';

/** Headers of a single connection (RFC 9110 section 7.6.1); the proxy has two connections. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer'];

/**
 * Listens on a free loopback port. Responds with 503 until {@link forwardTo} is called.
 * @returns {Promise<{ origin: string, forwardTo(target: { port: number, token: string }): void, close(): void }>}
 */
export async function startProxy() {
  let target;
  const server = http.createServer((request, response) => {
    if (target) forward(request, response, target);
    else response.writeHead(503).end();
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://localhost:${server.address().port}`,
    forwardTo: (next) => void (target = next),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function forward(request, response, { port, token }) {
  const authorization = request.headers.authorization ?? `Bearer ${token}`;
  const upstream = http.request({
    agent: false,
    host: '127.0.0.1',
    port,
    method: request.method,
    path: request.url,
    headers: { ...endToEnd(request.headers), authorization },
  });
  upstream.on('response', (answer) => {
    response.writeHead(answer.statusCode, endToEnd(answer.headers));
    // An event stream can stay silent after its headers, and the client waits for the headers.
    response.flushHeaders();
    answer.pipe(response);
    answer.on('error', () => response.destroy());
  });
  upstream.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  // A client that disconnects cancels its request (revision 2026-07-28); the server must see the disconnect.
  response.on('close', () => upstream.destroy());
  request.pipe(upstream);
}

function endToEnd(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)));
}
