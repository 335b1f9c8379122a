/** Metrics on a separate port and traces at a collector, without data from requests. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { freePort, Gate, gateEnv, PEOPLE, temporaryFolder } from './support/gate.js';
import { ProbeModule } from './support/probe.tools.js';
import { until } from './support/remote.js';
import { TestIssuer } from './support/issuer.js';
import { createApp } from '../src/create-app.js';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly status: { readonly code: number };
  readonly attributes: readonly { key: string; value: Record<string, unknown> }[];
}

/** Status codes of a span (OTLP). */
const UNSET = 0;
const ERROR = 2;

function attributesOf({ attributes }: Span): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** Trace collector (OTLP over HTTP, JSON). */
class Collector {
  readonly spans: Span[] = [];
  readonly headers: Record<string, unknown>[] = [];
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.headers.push(request.headers);
      const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString());
      for (const { scopeSpans } of resourceSpans)
        for (const { spans } of scopeSpans) this.spans.push(...spans);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });

  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** The samples of one metric by their labels. */
function samples(text: string, name: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(name.length, at).replace(/^\{|\}$/g, ''), Number(line.slice(at + 1))];
    }),
  );
}

/** Number of finished MCP operations, keyed by `METHOD TARGET: ERROR`. */
function operations(text: string): Record<string, number> {
  const label = (labels: string, name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1];
  return Object.fromEntries(
    Object.entries(samples(text, 'mcp_server_operation_duration_seconds_count')).map(([labels, count]) => {
      const target = label(labels, 'gen_ai_tool_name');
      const error = label(labels, 'error_type');
      const name = [label(labels, 'mcp_method_name'), target].filter(Boolean).join(' ');
      return [error === undefined ? name : `${name}: ${error}`, count];
    }),
  );
}

describe('metrics', () => {
  let gate: Gate;
  let port: number;
  const read = async (path: string, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method });

  beforeAll(async () => {
    port = await freePort();
    gate = await Gate.start({ database: false, imports: [ProbeModule], env: { METRICS_PORT: String(port) } });
  });
  afterAll(() => gate.close());

  it('count decisions and measure operations by the OpenTelemetry conventions for MCP', async () => {
    const token = await gate.token({ ...PEOPLE.alice, scope: 'probe' });
    await gate.callTool(token, 'echo', { text: 'a secret of hers' });
    await gate.callTool(token, 'echo', { text: 1 });
    await gate.callTool(token, 'fail');
    await gate.callTool(token, 'admin_only');
    await gate.callTool(token, 'invented-by-a-caller');
    await gate.callTool('bad', 'echo');
    await gate.modern(token, 'tools/list');
    await gate.post(
      token,
      { jsonrpc: '2.0', id: 1, method: 'made/up' },
      { 'mcp-protocol-version': '2025-11-25' },
    );
    await gate.waitForAuditLog(({ event }) => event === 'outcome');
    let text = '';
    await until(async () => {
      text = await (await read('/metrics')).text();
      return operations(text)['tools/call echo'] === 1;
    });
    expect(operations(text)).toEqual({
      'tools/call echo': 1,
      'tools/call echo: tool_error': 1,
      'tools/call fail: failed': 1,
      'tools/call admin_only: role_missing': 1,
      'tools/call: tool_unknown': 1,
      'tools/call: token_malformed': 1,
      'tools/list': 1,
    });
    expect(text).toContain('# TYPE mcp_server_operation_duration_seconds histogram');
    expect(text).toContain('mcp_protocol_version="2026-07-28"');
    expect(samples(text, 'gate_decisions_total')).toMatchObject({
      'decision="allow",reason=""': 4,
      'decision="deny",reason="role_missing"': 1,
      'decision="deny",reason="tool_unknown"': 1,
      'decision="deny",reason="token_malformed"': 1,
    });
    expect(samples(text, 'gate_requests_total')).toMatchObject({
      'method="tools/call",status="200"': 3,
      'method="tools/call",status="403"': 1,
      'method="tools/list",status="200"': 1,
    });
    expect(Object.keys(samples(text, 'gate_requests_total')).join()).toContain('method="none",status="404"');
    const counts = samples(text, 'gate_stage_seconds_count');
    for (const stage of ['authentication', 'limits', 'decision', 'record']) {
      expect(counts[`stage="${stage}"`]).toBeGreaterThan(0);
    }
    expect(samples(text, 'gate_jwks_usable_keys')).toEqual({ [`issuer="${gate.issuer.url}"`]: 1 });
    expect(Object.values(samples(text, 'gate_jwks_age_seconds'))[0]).toBeLessThan(120);
    expect(samples(text, 'gate_audit_log_records')['']).toBeGreaterThan(5);
    expect(samples(text, 'gate_rate_limit_store_degraded')['']).toBe(1);
    expect(samples(text, 'process_resident_memory_bytes')['']).toBeGreaterThan(1e6);
    for (const word of ['alice', 'secret', 'invented', 'made/up', token]) expect(text).not.toContain(word);
  });

  it('and probes are served on the internal port only', async () => {
    expect((await read('/health/live')).status).toBe(200);
    const [inside, outside] = await Promise.all([read('/health/ready'), gate.get('/health/ready')]);
    expect([inside.status, ((await inside.json()) as { checks: object }).checks]).toEqual([
      outside.status,
      outside.body.checks,
    ]);
    expect((await read('/')).status).toBe(404);
    expect((await read('/metrics', 'POST')).status).toBe(405);
    expect((await gate.get('/metrics')).status).toBe(404);
  });

  it('count requests to the administration API and from signal transmitters', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder.path, 'secret'), `Bearer ${'x'.repeat(32)}`);
    const issuer = await TestIssuer.start();
    const transmitter = {
      issuer: 'https://transmitter.example',
      audience: 'https://gate.example/signals',
      subject_issuer: issuer.url,
      jwks_uri: `${issuer.url}/jwks`,
      authorization_file: 'secret',
      events: ['session-revoked'],
    };
    writeFileSync(join(folder.path, 'signals.yaml'), JSON.stringify({ transmitters: [transmitter] }));
    const inside = await freePort();
    const observed = await Gate.start({
      issuer,
      env: { METRICS_PORT: String(inside), SIGNALS_FILE: join(folder.path, 'signals.yaml') },
    });
    const claims = { scope: 'gate.admin', roles: ['gate-admin'] };
    const [root, alice] = [await observed.token(claims), await observed.token({ scope: 'gate.admin' })];
    for (const token of [root, alice, 'bad']) {
      await observed.get('/admin/revocations', { headers: { authorization: `Bearer ${token}` } });
    }
    await observed.get('/signals/events', { method: 'POST', body: 'x' });
    let text = '';
    await until(async () => {
      text = await (await fetch(`http://127.0.0.1:${inside}/metrics`)).text();
      return Object.keys(samples(text, 'gate_requests_total')).length === 4;
    });
    expect(samples(text, 'gate_requests_total')).toEqual({
      'method="admin/list",status="200"': 1,
      'method="admin/list",status="403"': 1,
      'method="admin/list",status="401"': 1,
      'method="none",status="400"': 1,
    });
    expect(samples(text, 'gate_decisions_total')).toEqual({
      'decision="allow",reason=""': 1,
      'decision="deny",reason="role_missing"': 1,
      'decision="deny",reason="token_malformed"': 1,
      'decision="deny",reason="request_malformed"': 1,
    });
    expect(operations(text)).toEqual({});
    await observed.close();
    await issuer.stop();
    folder.remove();
  });

  it('stop the start with a message when METRICS_PORT is in use', async () => {
    const folder = temporaryFolder();
    const env = { ...gateEnv(gate.issuer.url, await freePort(), folder.path), METRICS_PORT: String(port) };
    const app = await createApp({ ...env, DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' }).then(
      async (made) => made.listen().then(() => made),
      (error: Error) => error,
    );
    expect(app).toMatchObject({
      name: 'ConfigurationError',
      message: 'METRICS_PORT: the port is unavailable (EADDRINUSE)',
    });
    folder.remove();
  });
});

describe('traces', () => {
  it('have a span for each request and each step, in the trace of the caller', async () => {
    const collector = new Collector();
    const folder = temporaryFolder();
    writeFileSync(join(folder.path, 'headers'), 'x-api-key: of-the-collector\n');
    const gate = await Gate.start({
      database: false,
      imports: [ProbeModule],
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: await collector.start(),
        OTEL_EXPORTER_OTLP_HEADERS_FILE: join(folder.path, 'headers'),
      },
    });
    const token = await gate.token({ ...PEOPLE.alice, scope: 'probe' });
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const parent = 'b7ad6b7169203331';
    const traced = { traceparent: `00-${traceId}-${parent}-01` };
    await gate.modern(token, 'tools/call', { name: 'echo', arguments: { text: 'a secret of hers' } }, traced);
    await gate.callTool(token, 'admin_only');
    await gate.callTool(token, 'invented-by-a-caller');
    const auditLog = await gate.waitForAuditLog(({ event }) => event === 'outcome');
    await gate.close();
    collector.stop();
    folder.remove();

    const server = collector.spans.filter(({ kind }) => kind === 2);
    expect(server.map(({ name }) => name).sort()).toEqual([
      'tools/call',
      'tools/call admin_only',
      'tools/call echo',
    ]);
    const echo = server.find(({ name }) => name === 'tools/call echo') as Span;
    expect([echo.traceId, echo.parentSpanId]).toEqual([traceId, parent]);
    expect(auditLog.find(({ tool }) => tool === 'echo')?.request.trace_id).toBe(traceId);
    const parts = collector.spans.filter(({ parentSpanId }) => parentSpanId === echo.spanId);
    expect(parts.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['authentication', 'decision', 'record', 'tool']),
    );
    const attributes = attributesOf(echo);
    expect(attributes['jsonrpc.request.id']).toMatch(/^\S+$/);
    expect([attributes['error.type'], echo.status.code]).toEqual([undefined, UNSET]);
    const denied = server.find(({ name }) => name === 'tools/call admin_only') as Span;
    expect([attributesOf(denied)['error.type'], denied.status.code]).toEqual(['role_missing', ERROR]);
    expect(attributes).toMatchObject({
      'mcp.method.name': 'tools/call',
      'mcp.protocol.version': '2026-07-28',
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'echo',
      'http.response.status_code': 200,
      'gate.outcome': 'ok',
    });
    // A request without a trace gets a new one, which also appears in the record.
    const own = server.find(({ name }) => name === 'tools/call admin_only') as Span;
    expect(auditLog.find(({ tool }) => tool === 'admin_only')?.request.trace_id).toBe(own.traceId);
    expect(collector.headers[0]?.['x-api-key']).toBe('of-the-collector');
    const told = JSON.stringify(collector.spans);
    for (const word of ['alice', 'secret', 'invented', token]) expect(told).not.toContain(word);
  });

  it('do not delay requests and shutdown while the collector is unreachable', async () => {
    const gate = await Gate.start({
      database: false,
      imports: [ProbeModule],
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
    });
    const token = await gate.token({ ...PEOPLE.alice, scope: 'probe' });
    expect((await gate.callTool(token, 'echo', { text: 'x' })).status).toBe(200);
    const started = performance.now();
    await gate.close();
    expect(performance.now() - started).toBeLessThan(8_000);
  });
});
