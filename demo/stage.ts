/** The servers of the demo: its own ones or existing ones. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startDemoIssuer } from './issuer.js';
import { startMailbox, type Mailbox } from './mailbox.js';
import { getJson, readDemoIssuer, type IssuerMetadata } from './oauth.js';
import { TOOL_NAMES } from './scenario.js';
import type { KeptPorts } from './command-line.js';
import { freePort, requireFreePort, startServer, type ServerProcess } from './server-process.js';

const SERVER_SCRIPT = resolve(__dirname, '..', 'dist', 'main.js');
const HOST = '127.0.0.1';
const KEPT_TOKEN_SECONDS = 1_800;

export interface Stage {
  /** Resource identifier and URL of the MCP server. */
  readonly resource: string;
  readonly issuer: IssuerMetadata;
  readonly auditLog: string | undefined;
  /** Unset for an existing server. */
  readonly own: { readonly mailbox: Mailbox; readonly server: ServerProcess } | undefined;
}

/** Cleanup steps, executed in reverse order. */
export class Cleanup {
  private readonly steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.steps.push(step);
  }

  /** Also executes steps that an interrupted start adds meanwhile. */
  async run(): Promise<void> {
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      await step().catch((error: unknown) => console.error('Could not clean up:', error));
    }
  }
}

/**
 * Issuer, mail server and the built server on loopback, with a temporary data folder.
 * @param kept unset: free ports.
 * @throws Error if one of the ports is in use.
 */
export async function setOwnStage(cleanup: Cleanup, kept: KeptPorts | undefined): Promise<Stage> {
  if (kept) {
    await requireFreePort(kept.server, '--port');
    await requireFreePort(kept.issuer, '--issuer-port');
  }
  const port = kept?.server ?? (await freePort());
  const origin = `http://${HOST}:${port}`;
  const resource = `${origin}/mcp`;
  const issuer = await startDemoIssuer({
    resource,
    // Some clients refresh a token of less than five minutes without end.
    ...(kept && { port: kept.issuer, showsLoginPage: true, tokenLifetime: KEPT_TOKEN_SECONDS }),
  });
  cleanup.add(() => issuer.close());
  const mailbox = await startMailbox();
  cleanup.add(() => mailbox.close());
  const folder = await mkdtemp(join(tmpdir(), 'identity-aware-mcp-demo-'));
  cleanup.add(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const auditLog = join(folder, 'audit.jsonl');
  const env = {
    HOST,
    PORT: String(port),
    AUTH_ISSUER: issuer.url,
    TOOL_ALLOW_LIST: TOOL_NAMES.join(','),
    DATA_DIR: join(folder, 'data'),
    AUDIT_FILE: auditLog,
    EXAMPLE_TOOLS: 'true',
    SMTP_URL: mailbox.url,
    LOG_LEVEL: 'warn',
  };
  const server = startServer(SERVER_SCRIPT, folder, env, origin);
  cleanup.add(() => server.stop());
  await server.waitUntilReady();
  return { resource, issuer: await readDemoIssuer(issuer.url), auditLog, own: { mailbox, server } };
}

/** @throws Error if a server is of the wrong kind or does not trust the issuer. */
export async function findStage(
  server: string,
  issuer: string,
  auditLog: string | undefined,
): Promise<Stage> {
  const metadata = await readDemoIssuer(issuer);
  const { resource, authorization_servers: trusted = [] } = await readResourceMetadata(server);
  if (!trusted.includes(metadata.issuer)) {
    throw new Error(`${server} trusts ${trusted.join(', ') || 'no issuer'}, not ${metadata.issuer}`);
  }
  return { resource, issuer: metadata, auditLog, own: undefined };
}

/** RFC 9728 section 3.1: the well-known part goes between host and path. */
async function readResourceMetadata(
  server: string,
): Promise<{ resource: string; authorization_servers?: string[] }> {
  const { origin, pathname } = new URL(server);
  const path = pathname.replace(/\/$/, '');
  return (await getJson(`${origin}/.well-known/oauth-protected-resource${path}`)) as {
    resource: string;
    authorization_servers?: string[];
  };
}
