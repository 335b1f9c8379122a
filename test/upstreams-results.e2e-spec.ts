/** Results, errors, progress and logs of upstream calls: the data for the caller and for the record. */
import { join } from 'node:path';
import { UPSTREAMS } from './support/acceptance-set.js';
import { temporaryFolder } from './support/gate.js';
import {
  type Agent,
  agentV1,
  agentV2,
  Direct,
  fixture,
  FIXTURE_SECRET,
  MountedGate,
  pause,
  SHORT,
  until,
} from './support/upstreams.js';

jest.setTimeout(120_000);

const ALICE = { sub: 'alice', scope: 'use' };
const BOB = { sub: 'bob', scope: 'use write', roles: ['editor'] };

describe('call of an upstream', () => {
  let mounted: MountedGate;
  let direct: Direct;
  let token: string;
  let v1: Agent;
  let v2: Agent;

  beforeAll(async () => {
    mounted = await MountedGate.start((folder) => [
      fixture(folder, 'x', '', { max_answer_mib: 4, concurrency: 50 }),
      fixture(folder, 'one', '', { concurrency: 1, timeouts: { ...SHORT, call_seconds: 20 } }),
      fixture(folder, 'frank', '', { relay_errors: true }),
    ]);
    const folder = temporaryFolder();
    const command = ['node', join(UPSTREAMS, 'fixtures/server.mjs'), '--dir', folder.path];
    direct = await Direct.start({ command }, folder.path);
    token = await mounted.gate.token(ALICE);
    await mounted.toolsOnce(token, (names) =>
      ['x', 'one', 'frank'].every((name) => names.includes(`${name}_echo`)),
    );
    v1 = await agentV1(mounted.gate.url, token);
    v2 = await agentV2(mounted.gate.url, token);
  });
  afterAll(async () => {
    await v1?.close();
    await v2?.close();
    await direct?.stop();
    await mounted?.close();
  });

  const call = async (name: string, args = {}) =>
    (await mounted.gate.callTool(token, name, args)).body.result;

  it.each([
    'image',
    'audio',
    'resource_link',
    'embedded_resource',
    'extra_keys',
    'structured',
    'structured_without_schema',
    'is_error',
    'error_as_success',
  ])('passes the result of %s unchanged', async (tool) => {
    const sent = await direct.call(tool);
    const { _meta: _theirs, ...expected } = sent;
    const { resultType: _type, _meta: meta, ...got } = await call(`x_${tool}`);
    expect(got).toEqual(expected);
    if (sent._meta) expect(meta).toMatchObject(sent._meta);
  });

  it('passes content of an unknown type and the other content', async () => {
    const { content } = await call('x_unknown_content');
    expect(JSON.stringify(content)).toContain('hologram');
    expect(content[1]).toEqual({ type: 'text', text: 'and text' });
  });

  it.each(['image', 'structured', 'structured_list', 'resource_link', 'unknown_content'])(
    'returns %s to clients of both SDK versions',
    async (tool) => {
      const { content } = await direct.call(tool);
      for (const agent of [v1, v2]) {
        const got = (await agent.call(`x_${tool}`)).content;
        if (tool === 'unknown_content' || tool === 'structured_list') expect(got).toHaveLength(2);
        else expect(got).toEqual(content);
      }
    },
  );

  it.each([
    ['is_error', 'tool_error'],
    ['protocol_error', 'failed'],
    ['neither', 'failed'],
    ['both', 'failed'],
    ['strange_error', 'failed'],
    ['content_is_text', 'failed'],
    ['error_as_success', 'ok'],
  ])('records the result of %s as %s', async (tool, outcome) => {
    await call(`x_${tool}`);
    expect((await mounted.recorded(`x_${tool}`)).status).toBe(outcome);
  });

  it.each(['protocol_error', 'strange_error', 'crash'])(
    'hides the secrets in the error of %s from the caller',
    async (tool) => {
      const answer = await mounted.gate.callTool(token, `x_${tool}`);
      expect(answer.text).not.toContain(FIXTURE_SECRET);
      expect(answer.body.result.isError).toBe(true);
      await until(async () => (await call('x_echo', { text: 'up' })).isError !== true, 'is back');
    },
  );

  it('passes the error text of the upstream with relay_errors', async () => {
    expect(JSON.stringify(await call('frank_protocol_error'))).toContain('db.internal');
  });

  it('returns its own response when the upstream sends two responses or wrong ids', async () => {
    expect((await call('x_answers_twice')).content[0].text).toBe('first');
    expect((await call('x_wrong_id')).content[0].text).toBe('for the caller');
    expect((await call('x_echo', { text: 'still' })).content[0].text).toBe('still');
  });

  it.each(['huge', 'endless'])('fails for %s without an effect on other calls', async (tool) => {
    const other = call('x_slow', { ms: 500 });
    const large = await call(`x_${tool}`, tool === 'huge' ? { mib: 8 } : {});
    expect(large.isError).toBe(true);
    // Calls on the same pipe wait while an endless line is read.
    if (tool === 'huge') expect((await other).content[0].text).toBe('done');
    await other;
    await until(
      async () => (await call('x_echo', { text: 'still' })).isError !== true,
      'the upstream responds again',
      20,
    );
  });

  it('passes a large response within the limit', async () => {
    expect((await call('x_huge', { mib: 3 })).content[0].text).toHaveLength(3 * 1024 * 1024);
  });

  it('ends at its time limit without an effect on other calls', async () => {
    const hanging = call('x_hang');
    const began = Date.now();
    expect((await call('x_echo', { text: 'quick' })).content[0].text).toBe('quick');
    expect(Date.now() - began).toBeLessThan(1_000);
    expect((await hanging).isError).toBe(true);
    expect(Date.now() - began).toBeLessThan(8_000);
    expect((await mounted.recorded('x_hang')).status).toBe('failed');
  });

  it('waits in a queue above the concurrency of the upstream', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => call('one_overlap', { ms: 50 })));
    expect(new Set(all.map(({ content }) => content[0].text))).toEqual(new Set(['1']));
    const many = await Promise.all(Array.from({ length: 10 }, () => call('x_overlap', { ms: 200 })));
    expect(Math.max(...many.map(({ content }) => Number(content[0].text)))).toBeGreaterThan(1);
  });

  it.each(['progress', 'progress_with_result', 'progress_backwards', 'progress_flood'])(
    'returns its result after %s',
    async (tool) => {
      for (const agent of [v1, v2]) {
        const heard: number[] = [];
        const result = await agent.call(
          `x_${tool}`,
          {},
          { onprogress: ({ progress }) => heard.push(progress) },
        );
        expect(result.content[0].text).toBe('done');
        expect(heard.length).toBeLessThan(1_000);
      }
    },
  );

  it('drops progress for unknown requests', async () => {
    const heard: number[] = [];
    await v2.call('x_progress_wrong_token', {}, { onprogress: ({ progress }) => heard.push(progress) });
    expect(heard).toEqual([]);
  });

  it.each([
    ['v1', () => v1],
    ['v2', () => v2],
  ] as const)('is cancelled and recorded when a client of %s cancels it', async (_line, agent) => {
    const name = 'progress_after_cancel';
    const of = (event: string) => mounted.noted('x', event).filter((line) => line.name === name).length;
    const before = of('call');
    const controller = new AbortController();
    const called = agent().call(`x_${name}`, {}, { signal: controller.signal });
    const failed = expect(called).rejects.toThrow();
    await until(() => of('call') > before, 'has begun');
    controller.abort();
    await failed;
    await until(() => of('cancelled') > before, 'was cancelled');
    expect((await call('x_echo', { text: 'still' })).content[0].text).toBe('still');
    expect((await mounted.recorded('x_progress_after_cancel')).status).toBe('cancelled');
  });

  it('delivers its log messages to its caller only', async () => {
    const controller = new AbortController();
    const stream = await fetch(mounted.gate.url, {
      method: 'POST',
      signal: controller.signal,
      headers: {
        authorization: `Bearer ${await mounted.gate.token(BOB)}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'subscriptions/listen',
        params: {
          notifications: { toolsListChanged: true },
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    const heard: string[] = [];
    const reading = (async () => {
      for await (const chunk of stream.body!) heard.push(Buffer.from(chunk).toString());
    })().catch(() => undefined);
    await call('x_remember', { text: 'the plan of alice' });
    await pause(500);
    controller.abort();
    await reading;
    expect(heard.join('')).not.toContain('the plan of alice');
  });

  it('rejects requests of the upstream to the client', async () => {
    const { content } = await call('x_ask_client');
    const answers = JSON.parse(content[0].text) as Record<string, unknown>;
    for (const method of ['roots/list', 'sampling/createMessage', 'elicitation/create']) {
      expect(answers[method]).toMatchObject({ error: expect.any(Number) });
    }
    expect(answers.ping).toEqual({ result: {} });
  });

  it('completes during a flood of change notifications', async () => {
    const before = mounted.noted('x', 'request').filter(({ method }) => method === 'tools/list').length;
    await call('x_flood', { count: 20_000 });
    expect((await call('x_echo', { text: 'quick' })).content[0].text).toBe('quick');
    await pause(2_500);
    const asked =
      mounted.noted('x', 'request').filter(({ method }) => method === 'tools/list').length - before;
    expect(asked).toBeLessThan(10);
  });
});
