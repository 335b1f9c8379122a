/** Cost of complete calls of the built server: a real issuer, a real token and an empty tool. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import { join } from 'node:path';
import { makeKey, startIssuer } from './issuer.mjs';
import { line, median, underLoad } from './measure.mjs';

const WARM_UP_MS = 3_000;
const ROUND_MS = 2_000;
const ROUNDS = 5;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** The server with its audit log in this folder, and a client with persistent connections. */
async function startServer(folder) {
  const url = `http://127.0.0.1:${await freePort()}/mcp`;
  const signing = await makeKey('key-1', 'ES256');
  const issuer = await startIssuer([signing], url);
  const server = fork(new URL('server.mjs', import.meta.url), {
    env: {
      PATH: process.env.PATH,
      PORT: new URL(url).port,
      AUTH_ISSUER: issuer.url,
      TOOL_ALLOW_LIST: 'nothing',
      DATA_DIR: folder,
      // The server has no database, so revocation is off.
      DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
      REVOCATION_MAX_AGE_SECONDS: '0',
      RATE_LIMIT_PER_MINUTE: '0',
      LOG_LEVEL: 'silent',
    },
  });
  server.once('exit', (code) => {
    if (code !== 0) throw new Error(`The server ended with ${code}`);
  });
  await once(server, 'message');
  const agent = new Agent({ keepAlive: true });
  const headers = {
    authorization: `Bearer ${await issuer.mint(signing)}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2025-11-25',
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'nothing' } });
  const call = async () => {
    const sent = request(url, { method: 'POST', agent, headers }).end(body);
    const [response] = await once(sent, 'response');
    response.resume();
    await once(response, 'end');
    if (response.statusCode !== 200) throw new Error(`A call returned status ${response.statusCode}`);
  };
  const stop = async () => {
    agent.destroy();
    server.disconnect();
    await once(server, 'exit');
    issuer.stop();
  };
  return { call, stop };
}

/**
 * Measures the places in turns, so that all have the same conditions; prints medians of the rounds.
 * @param places name and folder of each place; with two places the table compares them.
 */
export async function callTable(concurrencies, places) {
  const servers = [];
  for (const [name, parent] of places) {
    const folder = mkdtempSync(join(parent, 'bench-calls-'));
    servers.push({ name, folder, ...(await startServer(folder)) });
  }
  for (const { call } of servers) await underLoad(16, WARM_UP_MS, call);
  console.log('\nconcurrency  place      calls/s  p50 ms  p99 ms');
  for (const concurrency of concurrencies) {
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const one = [];
      for (const { call } of servers) one.push(await underLoad(concurrency, ROUND_MS, call));
      rounds.push(one);
    }
    const show = (name, parts, figure) => {
      const figures = parts.map((part) => part && median(rounds.map((one) => figure(one, part))));
      console.log(line(concurrency, name, ...figures));
    };
    servers.forEach(({ name }, at) => show(name, ['rate', 'p50', 'p99'], (one, part) => one[at][part]));
    if (servers.length !== 2) continue;
    show('added', [undefined, 'p50', 'p99'], ([one, other], part) => one[part] - other[part]);
    show('ratio', ['rate', 'p50', 'p99'], ([one, other], part) => one[part] / other[part]);
  }
  for (const { stop, folder } of servers) {
    await stop();
    rmSync(folder, { recursive: true });
  }
}
