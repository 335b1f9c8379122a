/**
 * Cost of upstreams: calls through the gateway beside direct calls, twenty upstreams with three hundred tools, and
 * the effect of hanging upstreams on others. `npm run bench:upstreams`; takes about a minute and a half.
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeKey, startIssuer } from './issuer.mjs';
import { median, underLoad } from './measure.mjs';
import { freePort } from './stage.mjs';

const FIXTURES = fileURLToPath(new URL('../test/upstreams/fixtures/', import.meta.url));
const ROUNDS = 5;
const ROUND_MS = 1_000;
const UPSTREAMS = 20;
const TOOLS_EACH = 15;

const folder = mkdtempSync(join(tmpdir(), 'bench-upstreams-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const signing = await makeKey('key-1', 'ES256');
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
let places = 0;

/** The built server with these upstreams. */
async function startGate(upstreams, place = `gate-${places++}`) {
  const home = join(folder, place);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'upstreams.yaml'), JSON.stringify({ upstreams }));
  const url = `http://127.0.0.1:${await freePort()}/mcp`;
  const issuer = await startIssuer([signing], url);
  const began = performance.now();
  const child = spawn(process.execPath, ['dist/main.js'], {
    env: {
      PATH: process.env.PATH,
      PORT: new URL(url).port,
      AUTH_ISSUER: issuer.url,
      TOOL_ALLOW_LIST: '*',
      DATA_DIR: join(home, 'data'),
      // The server has no database, so revocation is off.
      DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
      REVOCATION_MAX_AGE_SECONDS: '0',
      RATE_LIMIT_PER_MINUTE: '0',
      LOG_LEVEL: 'silent',
      SHUTDOWN_DRAIN_SECONDS: '0',
      ...(upstreams.length > 0 && { UPSTREAMS_FILE: join(home, 'upstreams.yaml') }),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const token = await issuer.mint(signing);
  let id = 0;
  const post = (method, params) =>
    new Promise((resolve, reject) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params });
      const asked = request(url, {
        method: 'POST',
        agent,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
        },
      });
      asked.once('error', reject);
      asked.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        response.once('end', () => {
          const json = text.startsWith('{')
            ? text
            : text
                .split('\n')
                .findLast((one) => one.startsWith('data: '))
                ?.slice(6);
          resolve({ status: response.statusCode, body: json && JSON.parse(json) });
        });
      });
      asked.end(body);
    });
  const call = async (name, args = {}) => {
    const { body } = await post('tools/call', { name, arguments: args });
    if (!body?.result || body.result.isError) throw new Error(`${name} failed: ${JSON.stringify(body)}`);
  };
  const list = async () => (await post('tools/list', {})).body.result.tools;
  const gate = {
    url,
    pid: child.pid,
    call,
    list,
    post,
    stop: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      issuer.stop();
    },
  };
  for (let left = 600; left > 0; left--) {
    if (await list().then(Boolean, () => false)) return { ...gate, bootMs: performance.now() - began };
    await pause(25);
  }
  throw new Error('The gateway did not start');
}

async function until(gate, count) {
  const began = performance.now();
  while ((await gate.list()).length < count) {
    if (performance.now() - began > 60_000)
      throw new Error(`The list did not reach ${count} tools within 60 s`);
    await pause(100);
  }
  return performance.now() - began;
}

const stdio = (name, to) => ({
  name,
  command: ['node', join(FIXTURES, 'server.mjs'), '--dir', join(folder, name), ...(to ? ['--do', to] : [])],
  concurrency: 64,
  tools: [{ match: '*', any_principal: true }],
});

const residentMiB = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
const childrenOf = (pid) => {
  try {
    return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number);
  } catch {
    return [];
  }
};

/** Measures the ways in turns, so that all have the same conditions; keeps the median round of each. */
async function compare(concurrency, ways) {
  const figures = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [way, act] of Object.entries(ways)) {
      const measured = await underLoad(concurrency, ROUND_MS, act);
      // The first round warms up.
      if (round > 0) figures[way].push(measured);
    }
  }
  const of = (way, figure) => median(figures[way].map((one) => one[figure]));
  return Object.fromEntries(
    Object.keys(ways).map((way) => [
      way,
      { p50: of(way, 'p50'), p99: of(way, 'p99'), rate: of(way, 'rate') },
    ]),
  );
}

async function latency() {
  const web = spawn(
    process.execPath,
    [join(FIXTURES, 'http-server.mjs'), '--dir', join(folder, 'web'), '--do', 'json,stateless'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  process.once('exit', () => web.kill('SIGKILL'));
  const [line] = await once(createInterface(web.stdout), 'line');
  const { url } = JSON.parse(line);
  const gate = await startGate([
    stdio('pipe'),
    { name: 'web', url, concurrency: 64, tools: [{ match: '*', any_principal: true }] },
  ]);
  await until(gate, 60);
  const direct = async (transport) => {
    const client = new Client({ name: 'bench', version: '1' });
    await client.connect(transport);
    return client;
  };
  const pipe = stdio('direct');
  const overPipes = await direct(
    new StdioClientTransport({ command: process.execPath, args: pipe.command.slice(1) }),
  );
  const overHttp = await direct(new StreamableHTTPClientTransport(new URL(url)));
  const args = { text: 'hello' };
  const ask = (client) => () => client.callTool({ name: 'echo', arguments: args });
  const rows = [];
  for (const concurrency of [1, 16]) {
    const measured = await compare(concurrency, {
      'stdio, direct': ask(overPipes),
      'stdio, through the gateway': () => gate.call('pipe_echo', args),
      'HTTP, direct': ask(overHttp),
      'HTTP, through the gateway': () => gate.call('web_echo', args),
    });
    for (const [way, { rate, p50, p99 }] of Object.entries(measured)) {
      rows.push({
        concurrency,
        way,
        'calls/s': Math.round(rate),
        'p50 ms': p50.toFixed(2),
        'p99 ms': p99.toFixed(2),
      });
    }
  }
  console.table(rows);
  await Promise.all([overPipes.close(), overHttp.close(), gate.stop()]);
  web.kill('SIGKILL');
}

async function many() {
  const upstreams = Array.from({ length: UPSTREAMS }, (_, at) =>
    stdio(`many-${at}`, `bare,many=${TOOLS_EACH}`),
  );
  const none = await startGate([]);
  const own = (await none.list()).length;
  const bare = {
    bootMs: none.bootMs,
    mib: residentMiB(none.pid),
    list: await underLoad(1, ROUND_MS, () => none.list()),
  };
  await none.stop();
  const first = await startGate(upstreams, 'many');
  const mountedMs = await until(first, UPSTREAMS * TOOLS_EACH + own);
  await first.stop();
  const again = await startGate(upstreams, 'many');
  const shownAtOnce = (await again.list()).length - own;
  await pause(5_000);
  const list = await underLoad(1, 2 * ROUND_MS, () => again.list());
  const children = childrenOf(again.pid).filter(Boolean);
  console.table([
    { '': 'start without upstreams, to the first list', value: `${bare.bootMs.toFixed(0)} ms` },
    {
      '': `start with ${UPSTREAMS}, without accepted definitions`,
      value: `${first.bootMs.toFixed(0)} ms; all ${UPSTREAMS * TOOLS_EACH} tools listed after another ${mountedMs.toFixed(0)} ms`,
    },
    {
      '': `start with ${UPSTREAMS}, with accepted definitions`,
      value: `${again.bootMs.toFixed(0)} ms; ${shownAtOnce} tools in the first list`,
    },
    { '': 'tools/list without upstreams, p50', value: `${bare.list.p50.toFixed(2)} ms` },
    {
      '': `tools/list with ${UPSTREAMS * TOOLS_EACH} additional tools, p50`,
      value: `${list.p50.toFixed(2)} ms`,
    },
    {
      '': 'memory of the gateway',
      value: `${bare.mib.toFixed(0)} MiB without, ${residentMiB(again.pid).toFixed(0)} MiB with`,
    },
    {
      '': `memory of the ${children.length} processes`,
      value: `${children.reduce((sum, pid) => sum + residentMiB(pid), 0).toFixed(0)} MiB`,
    },
  ]);
  await again.stop();
}

async function hanging() {
  const gate = await startGate([
    stdio('good'),
    { ...stdio('deaf', 'hang-initialize'), timeouts: { connect_seconds: 5 } },
    { ...stdio('stuck'), timeouts: { call_seconds: 5 } },
  ]);
  await until(gate, 60);
  const measure = async () => ({
    call: await underLoad(4, 2 * ROUND_MS, () => gate.call('good_echo', { text: 'x' })),
    list: await underLoad(1, ROUND_MS, () => gate.list()),
  });
  await measure();
  const before = await measure();
  let stop = false;
  let ended = 0;
  const hung = Promise.all(
    Array.from({ length: 32 }, async () => {
      while (!stop) {
        await gate.post('tools/call', { name: 'stuck_hang', arguments: {} });
        ended++;
      }
    }),
  );
  const during = await measure();
  stop = true;
  await hung;
  console.table(
    Object.entries({ 'nothing hangs': before, '32 calls hang, one upstream never initializes': during }).map(
      ([when, { call, list }]) => ({
        when,
        'others: calls/s': Math.round(call.rate),
        'p50 ms': call.p50.toFixed(2),
        'p99 ms': call.p99.toFixed(2),
        'tools/list p50 ms': list.p50.toFixed(2),
      }),
    ),
  );
  console.log(`${ended} hanging calls ended, each after its time limit of 5 s`);
  await gate.stop();
}

await latency();
await many();
await hanging();
agent.destroy();
