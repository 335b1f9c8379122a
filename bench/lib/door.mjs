/** Checks before the measurement that a server returns the right result and rejects invalid tokens. */
import { request } from 'node:http';
import { ANSWER, AUDIENCE, calledTool, requestFor } from './workload.mjs';

/** One request on a new connection. @returns status and body; status 0 without a response. */
export function ask(port, token, { headers, message }) {
  return new Promise((resolve) => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const sent = request(
      {
        port,
        host: '127.0.0.1',
        path: '/mcp',
        method: 'POST',
        agent: false,
        headers: { ...headers, ...authorization },
      },
      (response) => {
        const pieces = [];
        response.on('data', (piece) => pieces.push(piece));
        response.on('end', () =>
          resolve({ status: response.statusCode, text: Buffer.concat(pieces).toString() }),
        );
        response.on('error', () => resolve({ status: 0, text: '' }));
      },
    );
    sent.on('error', () => resolve({ status: 0, text: '' }));
    sent.end(JSON.stringify({ id: 1, ...message }));
  });
}

/** Tokens that every server must reject. */
export async function badTokens(issuer, key, forger) {
  const good = await issuer.mint(key);
  const [head, , signature] = good.split('.');
  const claims = JSON.parse(Buffer.from(good.split('.')[1], 'base64url'));
  const other = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url');
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url');
  return {
    forged: await issuer.mint(forger, { kid: key.kid }),
    altered: `${head}.${other}.${signature}`,
    unsigned: `${none}.${other}.`,
    expired: await issuer.mint(key, { expires: -300 }),
    foreign: await issuer.mint(key, { for: `${AUDIENCE}/of/another` }),
    none: undefined,
  };
}

/**
 * @param bad the tokens of {@link badTokens}
 * @returns names of the invalid tokens that the server did not reject.
 */
export async function letIn(port, bad, { revisions, tools }) {
  const found = new Set();
  for (const revision of revisions) {
    for (const method of ['tools/list', 'tools/call']) {
      for (const [name, token] of Object.entries(bad)) {
        const { status } = await ask(port, token, requestFor({ method, revision, tools }));
        if (status < 400 || status >= 500) found.add(name);
      }
    }
  }
  return [...found];
}

/**
 * The length of the correct response.
 * @throws Error if the response is incorrect.
 */
export async function rightAnswer(port, token, { method, revision, tools }) {
  const { status, text } = await ask(port, token, requestFor({ method, revision, tools }));
  const wrong = (why) => new Error(`${method}, ${revision}: ${why}: ${status} ${text.slice(0, 300)}`);
  if (status !== 200) throw wrong('no answer');
  const data = text.startsWith('{') ? text : /^data: (\{.*)$/m.exec(text)?.[1];
  const { result } = JSON.parse(data ?? 'null') ?? {};
  if (method === 'tools/call') {
    if (result?.isError || result?.content?.[0]?.text !== ANSWER) throw wrong('not the result of the tool');
  } else {
    const names = result?.tools?.map(({ name }) => name) ?? [];
    if (names.length !== tools) throw wrong(`${names.length} tools instead of ${tools}`);
    if (!names.includes(calledTool(tools))) throw wrong('not the tools of the benchmark');
    if (!result.tools[0].inputSchema?.properties?.customer_id) throw wrong('a tool without its schema');
  }
  return Buffer.byteLength(text);
}
