/** A growing list ends before the memory does. */
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { Connection } from './connection.js';

/** Lists a number of pages, each with one tool of a given size. */
class Pages implements Transport {
  onclose?: () => void;
  onmessage?: (message: JSONRPCMessage) => void;
  asked = 0;

  constructor(
    private readonly pages: number,
    private readonly length: number,
    private readonly more: object = {},
  ) {}

  start = () => Promise.resolve();
  close = () => Promise.resolve(this.onclose?.());

  send(message: JSONRPCMessage): Promise<void> {
    const { id, method } = message as { id?: number; method?: string };
    if (id === undefined) return Promise.resolve();
    const result = method === 'initialize' ? GREETING : this.page();
    setImmediate(() => this.onmessage?.({ jsonrpc: '2.0', id, result } as JSONRPCMessage));
    return Promise.resolve();
  }

  private page(): object {
    const at = ++this.asked;
    const tool = {
      name: `tool_${at}`,
      inputSchema: { type: 'object' },
      pad: 'x'.repeat(this.length),
      ...this.more,
    };
    return { tools: [tool], ...(at < this.pages && { nextCursor: String(at) }) };
  }
}

const GREETING = {
  protocolVersion: '2025-06-18',
  capabilities: { tools: {} },
  serverInfo: { name: 'pages', version: '1' },
};

function open(transport: Pages): Promise<Connection> {
  return Connection.open({
    settings: { protocol: 'legacy', transport: 'stdio', connectTimeoutMs: 5_000, listTimeoutMs: 5_000 },
    transport: () => transport,
    onListChanged: () => undefined,
    onClose: () => undefined,
    onError: () => undefined,
  });
}

it('reads many pages', async () => {
  const connection = await open(new Pages(20, 1_000));
  expect(connection.lastRead.tools).toHaveLength(20);
  await connection.close();
});

it('stops reading at the size limit', async () => {
  const transport = new Pages(20, 4 * 1024 * 1024);
  await expect(open(transport)).rejects.toThrow('its list was too large');
  expect(transport.asked).toBe(4);
});

it('omits definitions that nest too deep and reads the others', async () => {
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as object;
  const inside = await open(new Pages(2, 10, { inputSchema: { type: 'object', properties: deep } }));
  expect(inside.lastRead).toMatchObject({ tools: [], faults: [expect.any(String), expect.any(String)] });
  const beside = await open(new Pages(2, 10, { _meta: { deep } }));
  expect(beside.lastRead.tools).toHaveLength(2);
  await Promise.all([inside.close(), beside.close()]);
});
