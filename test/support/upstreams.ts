/** A gateway with upstreams: the mount file, the recorded events of the upstreams, and clients of the gateway. */
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { UPSTREAMS, type Started } from './acceptance-set.js';
import { Gate, temporaryFolder, type GateOptions, type AuditLogLine } from './gate.js';

const INFO = { name: 'test-agent', version: '1.2.3' };

/** The secret in fixture errors that a gateway must hide from its callers. */
export const FIXTURE_SECRET = 'sk-fixture-0123456789abcdef';

/** An entry of `UPSTREAMS_FILE`. */
export type Mount = { readonly name: string } & Record<string, unknown>;

/** A recorded event of a fixture. */
export type Noted = { readonly event: string; readonly pid: number; readonly at: number } & Record<
  string,
  any
>;

/** Permits every call, for tests without access rules. */
export const ANYTHING = [{ match: '*', any_principal: true }];

/** A gateway with a mount file and a data folder for the upstreams. */
export class MountedGate {
  private constructor(
    readonly gate: Gate,
    readonly folder: string,
    private readonly cleanUp: () => Promise<void>,
  ) {}

  /** @param mounts - returns the entries for the given folder. */
  static async start(
    mounts: (folder: string) => readonly Mount[],
    options: GateOptions = {},
  ): Promise<MountedGate> {
    const folder = temporaryFolder();
    const file = join(folder.path, 'upstreams.yaml');
    writeFileSync(file, JSON.stringify({ upstreams: mounts(folder.path) }));
    const gate = await Gate.start({
      database: false,
      ...options,
      env: {
        // The tests poll the list.
        RATE_LIMIT_PER_MINUTE: '0',
        UPSTREAMS_FILE: file,
        UPSTREAM_PINS_FILE: join(folder.path, 'pins.json'),
        ...options.env,
      },
    });
    return new MountedGate(gate, folder.path, async () => {
      await gate.close();
      folder.remove();
    });
  }

  close(): Promise<void> {
    return this.cleanUp();
  }

  /** The recorded events of the fixture with this name. */
  noted(name: string, event?: string): Noted[] {
    const lines = readNotes(join(this.folder, name));
    return event === undefined ? lines : lines.filter((line) => line.event === event);
  }

  /** The listed tools for this token, by name. */
  async tools(token: string): Promise<Map<string, Record<string, any>>> {
    const { status, body, text } = await this.gate.modern(token, 'tools/list');
    if (!body?.result) throw new Error(`tools/list failed with ${status}: ${text}`);
    return new Map(
      (body.result.tools as Record<string, any>[]).map((tool) => [tool.name as string, tool] as const),
    );
  }

  /** The listed tools once they satisfy the condition; the last list after ten seconds. */
  async toolsOnce(
    token: string,
    isRight: (names: readonly string[]) => boolean,
    seconds = 10,
  ): Promise<Map<string, Record<string, any>>> {
    const until = Date.now() + seconds * 1_000;
    for (;;) {
      // On a busy machine the audit log can be slower than the time-out of the request.
      const tools = await this.tools(token).catch((error: Error) => error);
      if (tools instanceof Error) {
        if (Date.now() > until) throw tools;
      } else if (isRight([...tools.keys()]) || Date.now() > until) return tools;
      await pause(50);
    }
  }

  /** The records of the last call of this tool, once the call has ended. */
  async recorded(tool: string): Promise<{ decision: AuditLogLine; status: string }> {
    const decision = this.gate.auditLog().findLast((line) => line.event === 'decision' && line.tool === tool);
    if (!decision) throw new Error(`The audit log has no decision about ${tool}`);
    const ended = (line: AuditLogLine) => line.event === 'outcome' && line.decision_id === decision.id;
    const outcome = (await this.gate.waitForAuditLog(ended)).find(ended) as AuditLogLine;
    return { decision, status: outcome.outcome.status as string };
  }
}

/** An entry of the stdio fixture; `doing` takes the behaviours listed at the top of `server.mjs`. */
export function fixture(
  folder: string,
  name: string,
  doing: string,
  more: Record<string, unknown> = {},
): Mount {
  const own = join(folder, name);
  mkdirSync(own, { recursive: true });
  const command = ['node', join(UPSTREAMS, 'fixtures/server.mjs'), '--dir', own];
  if (doing !== '') command.push('--do', doing);
  return { name, command, timeouts: SHORT, tools: ANYTHING, ...more };
}

/** Short time-outs in seconds for failing upstreams. */
export const SHORT = { connect_seconds: 5, list_seconds: 5, call_seconds: 5 };

export function readNotes(folder: string): Noted[] {
  try {
    return readFileSync(join(folder, 'record.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Noted);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  seconds = 10,
): Promise<void> {
  for (const end = Date.now() + seconds * 1_000; !(await holds());) {
    if (Date.now() > end) throw new Error(`Never: ${what}`);
    await pause(50);
  }
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A direct connection to a server without the gateway, as the reference for unchanged content. */
export class Direct {
  private readonly waiting = new Map<number, (message: Record<string, any>) => void>();
  private id = 0;

  private constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      try {
        const message = JSON.parse(line) as Record<string, any>;
        this.waiting.get(message.id)?.(message);
      } catch {
        // Not a message.
      }
    });
  }

  static async start({ command, env }: Started, cwd: string): Promise<Direct> {
    const child = spawn(process.execPath, command.slice(1), {
      cwd,
      env: { PATH: process.env.PATH, HOME: cwd, ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const direct = new Direct(child);
    await direct.ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: INFO });
    direct.send({ method: 'notifications/initialized' });
    return direct;
  }

  async ask(method: string, params: object = {}): Promise<Record<string, any>> {
    const id = ++this.id;
    const answered = new Promise<Record<string, any>>((resolve) => this.waiting.set(id, resolve));
    this.send({ id, method, params });
    return answered;
  }

  async call(name: string, args: object = {}): Promise<Record<string, any>> {
    return (await this.ask('tools/call', { name, arguments: args })).result;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }

  private send(message: object): void {
    this.child.stdin!.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }
}

/** The common interface of both SDK clients. */
export interface Agent {
  list(): Promise<{ name: string }[]>;
  call(
    name: string,
    args?: Record<string, unknown>,
    options?: { signal?: AbortSignal; onprogress?: (progress: { progress: number }) => void },
  ): Promise<Record<string, any>>;
  close(): Promise<void>;
}

export async function agentV1(url: string, token: string): Promise<Agent> {
  const client = new LegacyClient(INFO);
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new LegacyTransport(new URL(url), { requestInit }));
  return {
    list: async () => (await client.listTools()).tools,
    call: (name, args = {}, options = {}) => client.callTool({ name, arguments: args }, undefined, options),
    close: () => client.close(),
  };
}

export async function agentV2(url: string, token: string): Promise<Agent> {
  const client = new ModernClient(INFO, { versionNegotiation: { mode: 'auto' } });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new ModernTransport(new URL(url), { requestInit }));
  return {
    list: async () => (await client.listTools()).tools,
    call: (name, args = {}, options = {}) => client.callTool({ name, arguments: args }, options),
    close: () => client.close(),
  };
}
