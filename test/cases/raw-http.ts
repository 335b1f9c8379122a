/** HTTP as bytes on a socket, for requests that `fetch` cannot send. */
import { connect } from 'node:net';

export interface RawAnswer {
  /** 0 if the connection closed without a response. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: any;
  readonly text: string;
}

export interface RawRequest {
  readonly line?: string;
  /** Header lines in order; names may repeat. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string | Uint8Array;
}

export function rawRequest({ line = 'POST /mcp HTTP/1.1', headers, body = '' }: RawRequest): Buffer {
  const head = [line, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body as Uint8Array)]);
}

/**
 * Sends the bytes and reads until the server closes the connection or no byte arrived for `quietMs` milliseconds.
 */
export async function exchangeBytes(origin: string, bytes: Uint8Array, quietMs = 500): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    const done = () => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString('utf8'));
    };
    socket.setTimeout(quietMs, done);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('close', done);
    // A server may reset the connection when the client continues to send after the response.
    socket.on('error', (error) => (chunks.length > 0 || 'code' in error ? done() : reject(error)));
  });
}

export async function sendRaw(origin: string, request: RawRequest, quietMs?: number): Promise<RawAnswer> {
  const closing = [...request.headers, ['Connection', 'close']] as const;
  return parseAnswer(
    await exchangeBytes(
      origin,
      rawRequest({ ...request, headers: closing as RawRequest['headers'] }),
      quietMs,
    ),
  );
}

/** Parses the first response in the bytes. */
export function parseAnswer(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const payload = rest.join('\r\n\r\n');
  const json = /\{.*\}/s.exec(payload)?.[0];
  return {
    status: Number(statusLine.split(' ')[1] ?? 0),
    headers,
    body: json === undefined ? undefined : tryJson(json),
    text,
  };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
