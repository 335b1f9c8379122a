/** Runs the built demo: its own issuer, the server and three agents. The demo checks its own results. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { logIn, readDemoIssuer, registerApp } from '../demo/oauth.js';
import { freePort } from './support/gate.js';
import { until } from './support/remote.js';

/** The built demo and its output so far. */
function startDemo(...options: string[]) {
  const child = spawn(process.execPath, [join(__dirname, '../dist-demo/main.js'), ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const run = { child, shown: '', code: new Promise<number | null>((done) => child.once('exit', done)) };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (run.shown += text));
  }
  return run;
}

it('prints the permissions of each person and their delegation chains', async () => {
  const child = spawn(process.execPath, [join(__dirname, '../dist-demo/main.js')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let shown = '';
  child.stdout.on('data', (chunk) => (shown += String(chunk)));
  child.stderr.on('data', (chunk) => (shown += String(chunk)));
  const code = await new Promise((resolve) => child.once('exit', resolve));

  expect({ code, shown }).toEqual({ code: 0, shown: expect.stringContaining('Everything was as expected.') });
  const rows = shown.split('\n').filter((line) => /[✓✗]/.test(line));
  expect(rows).toHaveLength(18);
  expect(rows.filter((row) => row.includes('denied')).length).toBe(3 + 1 + 5);
  // Carol sees the tools for which only scopes are missing, and each of her calls is denied.
  const carol = rows.slice(rows.findIndex((row) => row.includes('carol (contractor)')));
  expect(carol[0]).toContain(
    'may call no tool; lacks a scope for read_customer, send_email, update_customer',
  );
  expect(carol.slice(1)).toHaveLength(5);
  for (const row of carol.slice(1)) expect(row).toContain('denied');
  expect(shown).toMatch(
    /bob \(human\)\n\s+└─ planner-agent-\w+ \(agent\)\n\s+└─ operations-agent-\w+ \(agent\) called/,
  );
}, 60_000);

describe('--keep', () => {
  it('keeps the issuer and the server running for an MCP client until SIGINT', async () => {
    const [port, issuerPort] = [await freePort(), await freePort()];
    const demo = startDemo('--keep', '--port', String(port), '--issuer-port', String(issuerPort));
    try {
      await until(() => demo.shown.includes('Press Ctrl+C') || demo.child.exitCode !== null, 60_000);
      const url = /^ +Claude Code +claude mcp add --transport http demo (\S+)$/m.exec(demo.shown)?.[1] ?? '';
      expect(url).toBe(`http://127.0.0.1:${port}/mcp`);
      for (const line of [/^ +MCP Inspector +npx .* --server-url (\S+)$/m, /"type":"http","url":"([^"]+)"/])
        expect(line.exec(demo.shown)?.[1]).toBe(url);

      const issuer = await readDemoIssuer(`http://127.0.0.1:${issuerPort}`);
      const app = await registerApp(issuer, 'client');
      expect(await toolsOf(url, await logIn(issuer, app, login('bob', url)))).toEqual([
        'delete_customer',
        'read_customer',
        'send_email',
        'update_customer',
      ]);
      const request = new URL(issuer.authorization_endpoint);
      request.search = new URLSearchParams({
        response_type: 'code',
        client_id: app.client_id,
        redirect_uri: 'http://127.0.0.1/callback',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
        resource: url,
        scope: 'openid database.read',
      }).toString();
      const { page, callback } = await logInOnPage(request, 'alice');
      expect(page.match(/(?<=person=)\w+/g)).toEqual(['alice', 'bob', 'carol']);
      expect(callback.search).toMatch(/^\?code=/);

      demo.child.kill('SIGINT');
      expect(await demo.code).toBe(0);
      expect(await Promise.all([port, issuerPort].map(isFree))).toEqual([true, true]);
    } finally {
      demo.child.kill('SIGKILL');
    }
  }, 90_000);

  it('names a port in use and the option that chooses another port', async () => {
    const [port, issuerPort] = [await freePort(), await freePort()];
    const other = createServer();
    await new Promise<void>((done) => other.listen(issuerPort, '127.0.0.1', done));
    const demo = startDemo('--keep', '--port', String(port), '--issuer-port', String(issuerPort));
    expect(await demo.code).toBe(1);
    expect(demo.shown).toContain(
      `Port ${issuerPort} cannot be used (EADDRINUSE). Choose another port with --issuer-port NUMBER`,
    );
    other.close();
  }, 30_000);

  it.each([
    [['--port', '3000'], '--port and --issuer-port require --keep'],
    [['--keep', '--port', '0'], '--port must be a number from 1 to 65535'],
    [['--keep', '--port', '3001'], '--port and --issuer-port must differ: both are 3001'],
    [
      ['--keep', '--server', 'http://a.test', '--issuer', 'http://b.test'],
      '--keep cannot be combined with --server and --issuer',
    ],
    [['--audit-log', 'audit.jsonl'], '--audit-log requires --server and --issuer'],
  ])('rejects the command line %j with exit code 2', async (options, message) => {
    const demo = startDemo(...options);
    expect([await demo.code, demo.shown.split('\n')[0]]).toEqual([2, message]);
  });
});

const login = (person: string, resource: string) => ({
  person,
  resource,
  scope: 'database.read database.write email.send',
});

async function toolsOf(url: string, token: string): Promise<string[]> {
  const client = new Client({ name: 'client', version: '1.0.0' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
  );
  const { tools } = await client.listTools();
  await client.close();
  return tools.map(({ name }) => name);
}

/** A login in a browser whose user chooses a name on the page of the issuer. */
async function logInOnPage(request: URL, person: string): Promise<{ page: string; callback: URL }> {
  const cookies = new Map<string, string>();
  let [url, page] = [request, ''];
  for (let left = 10; left > 0 && url.pathname !== '/callback'; left--) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const header of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(header) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location === null) page = await response.text();
    url = new URL(location ?? `?person=${person}`, url);
  }
  return { page, callback: url };
}

/** Whether no process listens on the port. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const isListening = await new Promise<boolean>((done) => {
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => done(true));
  });
  server.close();
  return isListening;
}
