/** The v1 and v2 clients of the MCP SDK, in both protocol eras, against the real server. */
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Gate } from './support/gate.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

const INFO = { name: 'test-agent', version: '1.2.3' };

/** The common interface of both clients. */
interface Agent {
  readonly protocol: string;
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(
    call: { name: string; arguments?: Record<string, unknown> },
    options?: {
      signal?: AbortSignal;
      onprogress?: (progress: { progress: number; message?: string }) => void;
    },
  ): Promise<Record<string, any>>;
  readResource(uri: string): Promise<Record<string, any>>;
  getPrompt(name: string, args: Record<string, string>): Promise<Record<string, any>>;
  complete(prompt: string, argument: string, value: string): Promise<string[]>;
  close(): Promise<void>;
}

async function v1(url: string, token: string): Promise<Agent> {
  const client = new LegacyClient(INFO);
  const transport = new LegacyTransport(new URL(url), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  await client.connect(transport);
  return {
    protocol: transport.protocolVersion ?? '',
    listTools: () => client.listTools(),
    callTool: (call, options) => client.callTool(call, undefined, options),
    readResource: (uri) => client.readResource({ uri }),
    getPrompt: (name, args) => client.getPrompt({ name, arguments: args }),
    complete: async (name, argument, value) =>
      (await client.complete({ ref: { type: 'ref/prompt', name }, argument: { name: argument, value } }))
        .completion.values,
    close: () => client.close(),
  };
}

function v2(mode: 'auto' | 'legacy') {
  return async (url: string, token: string): Promise<Agent> => {
    const client = new ModernClient(INFO, mode === 'auto' ? { versionNegotiation: { mode: 'auto' } } : {});
    const transport = new ModernTransport(new URL(url), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    });
    await client.connect(transport);
    return {
      protocol: client.getNegotiatedProtocolVersion() ?? '',
      listTools: () => client.listTools(),
      callTool: (call, options) => client.callTool(call, options),
      readResource: (uri) => client.readResource({ uri }),
      getPrompt: (name, args) => client.getPrompt({ name, arguments: args }),
      complete: async (name, argument, value) =>
        (await client.complete({ ref: { type: 'ref/prompt', name }, argument: { name: argument, value } }))
          .completion.values,
      close: () => client.close(),
    };
  };
}

let gate: Gate;
let token: string;

beforeAll(async () => {
  gate = await Gate.start({ imports: [ProbeModule] });
  token = await gate.token({ scope: 'probe' });
});
afterAll(() => gate.close());

describe.each([
  ['v1 client', '2025-11-25', v1],
  ['v2 client, 2025 era', '2025-11-25', v2('legacy')],
  ['v2 client, 2026 era', '2026-07-28', v2('auto')],
] as const)('%s', (_name, protocol, connect) => {
  let agent: Agent;

  beforeAll(async () => {
    agent = await connect(gate.url, token);
  });
  afterAll(() => agent.close());

  it(`negotiates revision ${protocol}`, () => {
    expect(agent.protocol).toBe(protocol);
  });

  it('lists the permitted tools and calls one', async () => {
    const { tools } = await agent.listTools();
    const names = tools.map(({ name }) => name);
    expect(names).toContain('echo');
    expect(names).not.toContain('admin_only');
    const result = await agent.callTool({ name: 'echo', arguments: { text: 'hi' } });
    expect(result.structuredContent).toEqual({ text: 'hi', sub: 'alice' });
  });

  it('receives a denial with its status and reason', async () => {
    await expect(agent.callTool({ name: 'admin_only' })).rejects.toThrow(/role/);
    expect(gate.auditLog().at(-1)).toMatchObject({
      reason: 'role_missing',
      request: { method: 'tools/call' },
    });
    expect(gate.app.nest.get(Runs).names).not.toContain('admin_only');
  });

  it('reads resources, gets prompts and completes arguments', async () => {
    expect((await agent.readResource('docs://handbook')).contents).toEqual([
      { uri: 'docs://handbook', mimeType: 'text/plain', text: 'Be kind.' },
    ]);
    expect((await agent.getPrompt('greet', { name: 'Ada' })).messages).toEqual([
      { role: 'user', content: { type: 'text', text: 'Hello Ada' } },
    ]);
    expect(await agent.complete('greet', 'name', 'Al')).toEqual(['Alan']);
  });

  it('receives progress notifications', async () => {
    const heard: unknown[] = [];
    const result = await agent.callTool(
      { name: 'steps' },
      { onprogress: (progress) => heard.push(progress) },
    );
    expect(result.content).toEqual([{ type: 'text', text: 'done' }]);
    expect(heard).toMatchObject(
      [1, 2, 3].map((progress) => ({ progress, total: 3, message: `step ${progress}` })),
    );
  });

  it('cancels a call and the tool receives the abort signal', async () => {
    const runs = gate.app.nest.get(Runs);
    const [started, aborted] = [runs.names.length, runs.aborted.length];
    const controller = new AbortController();
    const calling = agent
      .callTool({ name: 'wait' }, { signal: controller.signal })
      .catch((error: unknown) => error);
    while (runs.names.length === started) await new Promise((resolve) => setTimeout(resolve, 10));
    const decision = gate.auditLog().at(-1);
    controller.abort('changed my mind');
    expect(await calling).toBeInstanceOf(Error);
    const lines = await gate.waitForAuditLog(({ decision_id }) => decision_id === decision?.id);
    expect(lines.at(-1)).toMatchObject({ tool: 'wait', outcome: { status: 'cancelled' } });
    expect(runs.aborted).toHaveLength(aborted + 1);
  });

  it('receives no text of an exception that a tool throws', async () => {
    const result = await agent.callTool({ name: 'fail' });
    const decision = gate.auditLog().findLast(({ event }) => event === 'decision');
    expect(result).toMatchObject({
      isError: true,
      content: [{ type: 'text', text: `The tool failed. Reference: ${decision?.id}` }],
    });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  it('receives the message of a ToolError', async () => {
    expect(await agent.callTool({ name: 'refuse' })).toMatchObject({
      isError: true,
      content: [{ type: 'text', text: 'Not on a Sunday' }],
    });
  });

  it('does not receive a result that violates the output schema', async () => {
    const result = await agent
      .callTool({ name: 'break_promise' })
      .catch((error: unknown) => ({ error: String(error) }));
    expect(JSON.stringify(result)).not.toContain('secret-output');
  });

  it('appears in the audit record with its name and version', async () => {
    await agent.callTool({ name: 'echo', arguments: { text: 'x' } });
    const { request } = gate.auditLog().findLast(({ event }) => event === 'decision') ?? {};
    expect(request.client).toBe(protocol === '2026-07-28' ? 'test-agent/1.2.3' : 'node');
  });
});
