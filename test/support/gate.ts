/** The real server on a real port, with its own issuer and a readable audit log. */
import type { ModuleMetadata } from '@nestjs/common';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { firstSeqOf } from '../../src/audit/audit-log-files.js';
import { createApp, type App } from '../../src/create-app.js';
import { ExampleDatabase } from '../../src/examples/example-database.js';
import { Database } from '../../src/storage/database.js';
import { TOOL_MODULES } from '../../src/tool-modules.js';
import { checkAnswer, checkRecords } from './contract.js';
import { TestIssuer, type Claims } from './issuer.js';

export interface GateOptions {
  readonly env?: Record<string, string | undefined>;
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  /** Contents of `IDENTITY_FILE`; `AUTH_ISSUER` is then unset. */
  readonly identity?: object;
  /** Files of `POLICY_DIR` by name. */
  readonly policy?: Readonly<Record<string, string>>;
  /** False: starts without a database, because the embedded one takes seconds to start. */
  readonly database?: false;
  /** An issuer that the test started. Default: one that starts and stops with the gateway. */
  readonly issuer?: TestIssuer;
  /** Changes the application before it listens, for example its time-outs, which have no variable. */
  readonly beforeListening?: (app: App) => void;
}

/** A record of the audit log. */
export type AuditLogLine = Record<string, any>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON-RPC message, from JSON or from the last event of a stream; undefined without a message. */
  readonly body: any;
  readonly text: string;
}

export const MODERN = '2026-07-28';

/** Users of the demo with the claims of their tokens. */
export const PEOPLE = {
  alice: { sub: 'alice', scope: 'database.read email.send', roles: ['developer'] },
  bob: { sub: 'bob', scope: 'database.read database.write email.send', roles: ['admin'] },
  carol: { sub: 'carol', scope: '', roles: ['contractor'] },
} as const;

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'gate-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Variables of the test server; each test overrides the ones under test. */
export function gateEnv(issuer: string, port: number, dataDir: string): Record<string, string> {
  return {
    PORT: String(port),
    AUTH_ISSUER: issuer,
    TOOL_ALLOW_LIST: '*',
    EXAMPLE_TOOLS: 'true',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'silent',
    SHUTDOWN_DRAIN_SECONDS: '0',
  };
}

/** Writes `IDENTITY_FILE` as JSON, which is valid YAML. */
export function identityFile(folder: string, identity: object): string {
  const path = join(folder, 'identity.yaml');
  writeFileSync(path, JSON.stringify(identity));
  return path;
}

/** Makes the folder contain exactly these files. */
export function writePolicy(folder: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (!(name in files)) rmSync(join(folder, name));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

export class Gate {
  readonly url: string;
  readonly origin: string;

  private constructor(
    readonly app: App,
    readonly issuer: TestIssuer,
    private readonly cleanUp: () => Promise<void>,
  ) {
    this.url = app.settings.server.resource;
    this.origin = app.settings.server.publicUrl;
  }

  static async start(options: GateOptions = {}): Promise<Gate> {
    const issuer = options.issuer ?? (await TestIssuer.start());
    const folder = temporaryFolder();
    const identity = options.identity && {
      AUTH_ISSUER: undefined,
      IDENTITY_FILE: identityFile(folder.path, options.identity),
    };
    const env = {
      ...gateEnv(issuer.url, await freePort(), folder.path),
      ...identity,
      ...(options.policy && { POLICY_DIR: writePolicy(join(folder.path, 'policy'), options.policy) }),
      ...(options.database === false && {
        DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
        REVOCATION_MAX_AGE_SECONDS: '0',
      }),
      ...options.env,
    };
    const app = await createApp(env, { imports: [...TOOL_MODULES, ...(options.imports ?? [])] }).catch(
      async (error: unknown) => {
        if (!options.issuer) await issuer.stop();
        folder.remove();
        throw error;
      },
    );
    options.beforeListening?.(app);
    await app.listen();
    // The start of the embedded database blocks the process for seconds, which would distort the tests.
    if (options.database !== false) {
      const database = app.settings.examples ? ExampleDatabase : Database;
      await app.nest
        .get<ExampleDatabase | Database>(database, { strict: false })
        .get()
        .catch(() => undefined);
    }
    return new Gate(app, issuer, async () => {
      await app.close();
      if (!options.issuer) await issuer.stop();
      checkRecords(app.settings.audit.file);
      folder.remove();
    });
  }

  token(claims: Claims = {}, options: Parameters<TestIssuer['mint']>[2] = {}): Promise<string> {
    return this.issuer.mint(this.url, claims, options);
  }

  /** One request of revision 2026-07-28. */
  async modern(
    token: string | undefined,
    method: string,
    params: Record<string, unknown> = {},
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const name = (params.name ?? params.uri) as string | undefined;
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': MODERN,
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    return this.post(
      token,
      { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } },
      {
        'mcp-protocol-version': MODERN,
        'mcp-method': method,
        ...(name !== undefined && { 'mcp-name': name }),
        ...headers,
      },
    );
  }

  /** One request of revision 2025-11-25. */
  async legacy(
    token: string | undefined,
    method: string,
    params: Record<string, unknown> = {},
  ): Promise<Answer> {
    return this.post(
      token,
      { jsonrpc: '2.0', id: 1, method, params },
      { 'mcp-protocol-version': '2025-11-25' },
    );
  }

  callTool(token: string | undefined, name: string, args: Record<string, unknown> = {}): Promise<Answer> {
    return this.modern(token, 'tools/call', { name, arguments: args });
  }

  /** One POST with any body. */
  async post(
    token: string | undefined,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return answerOf(response);
  }

  async get(path: string, init: RequestInit = {}): Promise<Answer> {
    const answer = await answerOf(await fetch(`${this.origin}${path}`, init));
    const [pathname = ''] = path.split('?');
    checkAnswer(init.method ?? 'GET', pathname, answer);
    return answer;
  }

  /** Records of requests so far. An outcome follows its response: wait with {@link waitForAuditLog}. */
  auditLog(): AuditLogLine[] {
    return readAuditLog(this.app.settings.audit.file).filter(({ request }) => request !== null);
  }

  /** All records, including those of the server itself. */
  wholeAuditLog(): AuditLogLine[] {
    return readAuditLog(this.app.settings.audit.file);
  }

  /** The records once one matches; fails after five seconds. */
  async waitForAuditLog(found: (line: AuditLogLine) => boolean): Promise<AuditLogLine[]> {
    for (let left = 100; left > 0; left--) {
      const lines = this.auditLog();
      if (lines.some(found)) return lines;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(
      `The audit log did not receive the expected record within 5 s; it holds ${JSON.stringify(this.auditLog())}`,
    );
  }

  /** The records once every call has its outcome record; later records are new. */
  async settledAuditLog(): Promise<AuditLogLine[]> {
    for (let left = 100; left > 0; left--) {
      const lines = this.auditLog();
      const ended = new Set(lines.filter(({ event }) => event === 'outcome').map((line) => line.decision_id));
      const allowed = lines.filter(({ event, decision }) => event === 'decision' && decision === 'allow');
      if (allowed.every(({ id }) => ended.has(id))) return lines;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('A call has no outcome record after 5 s');
  }

  close(): Promise<void> {
    return this.cleanUp();
  }
}

/**
 * The records of the archives and of the current file in order, so that a rotation at midnight UTC hides no record.
 */
export function readAuditLog(file: string): AuditLogLine[] {
  const archives = readdirSync(dirname(file))
    .filter((name) => firstSeqOf(file, name) !== undefined)
    .sort()
    .map((name) => join(dirname(file), name));
  return [...archives, file]
    .map((path) => readFileSync(path, 'utf8'))
    .join('')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditLogLine);
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  const events = isStream ? text.split('\n').filter((line) => line.startsWith('data: ')) : [];
  const json = isStream ? events.at(-1)?.slice('data: '.length) : text;
  let body: unknown;
  try {
    body = json ? JSON.parse(json) : undefined;
  } catch {
    body = undefined;
  }
  return { status: response.status, headers: response.headers, body, text };
}
