/**
 * Load generator in its own process: persistent connections with one request each at a time. Requests are prepared
 * in advance, and responses are parsed as little as possible. Receives a job and returns its figures
 * (`process.send`).
 */
import { connect } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

process.on('message', (job) => {
  run(job).then(
    (figures) => process.send({ figures }),
    (error) => process.send({ error: error.message }),
  );
});
process.on('disconnect', () => process.exit(0));

/**
 * @param job `ports`: assigned to the connections in turn; `tokens`: used in turn, or only once with `once`;
 *   `milliseconds` or `requests`: duration; `least`: minimum body length of a valid response.
 */
async function run(job) {
  const requests = prepare(job);
  const state = { next: 0, count: 0, failures: {}, waits: [], requests, job };
  state.limit = job.requests ?? (job.once ? requests.length : Infinity);
  const clients = await Promise.all(
    Array.from({ length: job.concurrency }, (_, at) => open(job.ports[at % job.ports.length])),
  );
  const before = process.cpuUsage();
  const started = performance.now();
  state.end = job.milliseconds ? started + job.milliseconds : Infinity;
  await Promise.all(clients.map((client) => drive(client, state)));
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(before);
  for (const { socket } of clients) socket.destroy();
  const { count, failures, waits } = state;
  waits.sort((a, b) => a - b);
  const part = (share) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? NaN;
  return {
    count,
    failures,
    rate: count / seconds,
    p50: part(0.5),
    p99: part(0.99),
    busy: (user + system) / 1e6 / seconds,
  };
}

/** One complete request per token; its index is its id, so the ids of a caller differ. */
function prepare({ tokens, headers, message }) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return tokens.map((token, id) => {
    const body = JSON.stringify({ ...message, id });
    const head =
      `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n${lines.join('')}` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    return Buffer.from(head + body);
  });
}

function open(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve({ socket, port });
    });
  });
}

/** Runs until the time is over or no request is left. */
function drive(client, state) {
  return new Promise((resolve, reject) => {
    const { socket } = client;
    let pieces = [];
    let size = 0;
    let head;
    let begun = 0;
    const send = () => {
      begun = performance.now();
      if (begun >= state.end || state.next >= state.limit) return resolve();
      socket.write(state.requests[state.next++ % state.requests.length]);
    };
    socket.on('data', (piece) => {
      pieces.push(piece);
      size += piece.length;
      head ??= headOf(pieces);
      if (!head || !isWhole(head, size, piece)) return;
      const wait = performance.now() - begun;
      const isAnswer = head.status === 200 && size - head.length >= state.job.least;
      if (isAnswer) {
        state.waits.push(wait);
        state.count++;
      } else {
        const what = head.status === 200 ? 'short answer' : String(head.status);
        state.failures[what] = (state.failures[what] ?? 0) + 1;
      }
      [pieces, size, head] = [[], 0, undefined];
      send();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('The server closed a connection')));
    send();
  });
}

function headOf(pieces) {
  if (pieces.length > 1) pieces.splice(0, pieces.length, Buffer.concat(pieces));
  const end = pieces[0].indexOf(HEAD_END);
  if (end < 0) return undefined;
  const text = pieces[0].latin1Slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(text);
  return { status: Number(text.slice(9, 12)), length: end + 4, body: length ? Number(length[1]) : undefined };
}

/** With one request at a time per connection, a response without a length ends with the last chunk. */
function isWhole(head, size, piece) {
  if (head.body !== undefined) return size >= head.length + head.body;
  return piece.length >= 5 && piece.subarray(-5).equals(LAST_CHUNK);
}
