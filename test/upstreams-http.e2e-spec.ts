/** Upstreams over Streamable HTTP and upstreams of revision 2026-07-28. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Fixture, UPSTREAMS } from './support/acceptance-set.js';
import { freePort, temporaryFolder } from './support/gate.js';
import { ANYTHING, MountedGate, SHORT, until } from './support/upstreams.js';

jest.setTimeout(120_000);

const ALICE = { sub: 'alice', scope: 'use' };

describe('upstream over HTTP', () => {
  const CALLED = ['sse', 'json', 'stateless', 'slash', 'nulls-json', 'nulls-sse'];
  let fixtures: Record<string, Fixture>;
  let hole: Server;
  let mounted: MountedGate;
  let token: string;

  beforeAll(async () => {
    const folder = temporaryFolder();
    const start = (name: string, ...args: string[]) =>
      Fixture.start('http-server.mjs', join(folder.path, name), ...args);
    hole = createServer(() => undefined);
    await new Promise<void>((resolve) => hole.listen(0, '127.0.0.1', resolve));
    const elsewhere = await start('elsewhere');
    fixtures = {
      elsewhere,
      sse: await start('sse', '--do', 'token=upstream-token'),
      json: await start('json', '--do', 'json,key=upstream-key'),
      stateless: await start('stateless', '--do', 'stateless,no-get'),
      slash: await start('slash', '--do', 'slash'),
      'nulls-json': await start('nulls-json', '--do', 'nulls,json=text/json'),
      'nulls-sse': await start('nulls-sse', '--do', 'nulls'),
      lost: await start('lost', '--do', 'lost=404'),
      lost400: await start('lost400', '--do', 'lost=400'),
      redirect: await start('redirect', '--do', `redirect=${elsewhere.url}`),
      unavailable: await start('unavailable', '--do', 'status=503'),
      html: await start('html', '--do', 'html'),
      half: await start('half', '--do', 'bad-json'),
      cut: await start('cut', '--do', 'cut'),
      refusing: await start('refusing', '--do', 'scope'),
    };
    const gone = await freePort();
    mounted = await MountedGate.start((own) => {
      writeFileSync(join(own, 'token.secret'), 'upstream-token');
      writeFileSync(join(own, 'key.secret'), 'upstream-key');
      const auth: Record<string, object> = {
        sse: { method: 'secret', secret_file: 'token.secret' },
        json: { method: 'secret', secret_file: 'key.secret', header: 'X-Api-Key' },
      };
      const base = { timeouts: SHORT, tools: ANYTHING, max_answer_mib: 4 };
      return [
        ...Object.entries(fixtures)
          .filter(([name]) => name !== 'elsewhere')
          .map(([name, { url }]) => ({ name, url, ...base, ...(auth[name] && { auth: auth[name] }) })),
        { name: 'hole', url: `http://127.0.0.1:${(hole.address() as AddressInfo).port}/mcp`, ...base },
        { name: 'gone', url: `http://127.0.0.1:${gone}/mcp`, ...base },
      ];
    });
    token = await mounted.gate.token(ALICE);
    await mounted.toolsOnce(
      token,
      (names) => [...CALLED, 'lost', 'lost400', 'cut'].every((name) => names.includes(`${name}_echo`)),
      20,
    );
  });
  afterAll(async () => {
    await mounted?.close();
    await Promise.all(Object.values(fixtures ?? {}).map((one) => one.stop()));
    hole?.close();
  });

  const call = async (name: string, args = {}) =>
    (await mounted.gate.callTool(token, name, args)).body.result;
  const control = async (name: string, what: string) => {
    const response = await fetch(new URL(`/control/${what}`, fixtures[name]!.url), {
      method: what === 'record' ? 'GET' : 'POST',
    });
    return (await response.json()) as Record<string, any>[];
  };

  it.each(CALLED)('serves calls to %s', async (name) => {
    expect((await call(`${name}_echo`, { text: 'hé' })).content).toEqual([{ type: 'text', text: 'hé' }]);
    expect((await call(`${name}_image`)).content[0].type).toBe('image');
  });

  it('receives its own token and never the token of the caller', async () => {
    for (const [name, header, value] of [
      ['sse', 'authorization', 'Bearer upstream-token'],
      ['json', 'x-api-key', 'upstream-key'],
      ['stateless', 'authorization', undefined],
    ] as const) {
      const requests = (await control(name, 'record')).filter(({ event }) => event === 'http');
      expect(requests.length).toBeGreaterThan(2);
      expect(JSON.stringify(requests)).not.toContain(token);
      for (const { headers } of requests) expect(headers[header]).toBe(value);
    }
  });

  it.each(['lost', 'lost400'])(
    'gets a new session after %s lost it, and the call runs once',
    async (name) => {
      await call(`${name}_echo`, { text: 'before' });
      await control(name, 'forget');
      expect((await call(`${name}_count`)).content[0].text).toBe('1');
      const made = (await control(name, 'record')).filter(
        ({ event, name: tool }) => event === 'call' && tool === 'count',
      );
      expect(made).toHaveLength(1);
    },
  );

  it.each(['redirect', 'unavailable', 'html', 'half', 'refusing', 'hole', 'gone'])(
    'shows no tool of %s',
    async (name) => {
      const names = [...(await mounted.tools(token)).keys()];
      expect(names.filter((tool) => tool.startsWith(`${name}_`))).toEqual([]);
    },
  );

  it('cannot redirect the gateway to another host', async () => {
    expect((await control('elsewhere', 'record')).filter(({ event }) => event === 'http')).toEqual([]);
  });

  it('causes a failed call with a broken stream', async () => {
    const result = await call('cut_echo', { text: 'x' });
    expect(result.isError).toBe(true);
    expect((await mounted.recorded('cut_echo')).status).toBe('failed');
  });

  it('fails a call with an oversized response without an effect on other calls', async () => {
    expect((await call('stateless_huge', { mib: 8 })).isError).toBe(true);
    expect((await call('stateless_echo', { text: 'still' })).content[0].text).toBe('still');
  });

  it('causes only a log entry for a rejected token', async () => {
    await control('sse', 'token?to=another');
    const answer = await mounted.gate.callTool(token, 'sse_echo', { text: 'x' });
    expect(answer.body.result.isError).toBe(true);
    expect(answer.text).not.toContain('upstream-token');
    await control('sse', 'token?to=upstream-token');
    await until(
      async () => (await call('sse_echo', { text: 'x' })).isError !== true,
      'the gateway is authenticated again',
    );
  });
});

describe('upstream of revision 2026-07-28', () => {
  let http: Fixture;
  let mounted: MountedGate;
  let token: string;

  beforeAll(async () => {
    const folder = temporaryFolder();
    http = await Fixture.start('modern-server.mjs', folder.path, '--http', '0', '--do', 'modern-only');
    mounted = await MountedGate.start((own) => {
      const command = ['node', join(UPSTREAMS, 'fixtures/modern-server.mjs'), '--dir', join(own, 'pipe')];
      mkdirSync(join(own, 'pipe'));
      return [
        { name: 'pipe', command: [...command, '--do', 'modern-only'], timeouts: SHORT, tools: ANYTHING },
        { name: 'net', url: http.url, timeouts: SHORT, tools: ANYTHING },
      ];
    });
    token = await mounted.gate.token(ALICE);
    await mounted.toolsOnce(token, (names) => names.includes('pipe_echo') && names.includes('net_echo'));
  });
  afterAll(async () => {
    await mounted?.close();
    await http?.stop();
  });

  const call = async (name: string, args = {}) =>
    (await mounted.gate.callTool(token, name, args)).body.result;

  it.each(['pipe', 'net'])('serves calls over %s', async (name) => {
    expect((await call(`${name}_echo`, { text: 'hi' })).content[0].text).toBe('hi');
    expect((await call(`${name}_structured`)).structuredContent).toEqual({ count: 7 });
  });

  it('receives a declared argument as a header, although the client did not send it', async () => {
    expect((await call('net_region', { region: 'eu' })).content[0].text).toBe('region eu');
    const tools = await mounted.tools(token);
    expect(JSON.stringify(tools.get('net_region'))).not.toContain('x-mcp-header');
  });

  it('fails a call that requires input from the client', async () => {
    expect((await call('net_ask')).isError).toBe(true);
  });
});
