/** Creates the transport of an upstream: child process or HTTP. */
import {
  StreamableHTTPClientTransport,
  type JSONRPCMessage,
  type Transport,
  type TransportSendOptions,
} from '@modelcontextprotocol/client';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { UpstreamSettings } from '../../config/settings.js';
import { ChildProcessTransport } from './child-process.transport.js';
import { upstreamFetch } from './upstream-fetch.js';

export interface TransportContext {
  /** Key of the connection; each key has its own folder. */
  readonly key: string;
  /** Parent of the default working directories. */
  readonly folder: string;
  headers(): Promise<Readonly<Record<string, string>>>;
  onStderr(line: string): void;
  /** End of the process, e.g. `exited with code 1`. */
  onExit(how: string): void;
  /** A response broke off or ended, by its {@link CALL_HEADER}. */
  broken(call: string, error: Error): void;
  /** Set of kill functions of running processes. */
  readonly processes: Set<() => void>;
}

/** Default PATH of child processes. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Added to the time limit of the client library. */
const SLACK_MS = 5_000;

/** Minimum interval of reconnects of a stream. */
const RECONNECT_MS = 1_000;
/** Concurrent answers to requests of the upstream, each a request of its own. */
const MAX_REPLIES = 8;

class HttpTransport extends StreamableHTTPClientTransport {
  private replies = 0;

  override async send(
    message: JSONRPCMessage | JSONRPCMessage[],
    options?: TransportSendOptions,
  ): Promise<void> {
    if (Array.isArray(message) || 'method' in message) return super.send(message, options);
    if (this.replies >= MAX_REPLIES)
      throw new Error('The upstream sends requests faster than it reads the answers');
    this.replies += 1;
    try {
      await super.send(message, options);
    } finally {
      this.replies -= 1;
    }
  }
}

/** @throws Error if its folder cannot be created. */
export function openTransport(settings: UpstreamSettings, context: TransportContext): Transport {
  if (settings.transport === 'http') {
    const longest = Math.max(settings.callTimeoutMs, ...settings.tools.map(({ timeoutMs = 0 }) => timeoutMs));
    const fetch = upstreamFetch({
      url: settings.url,
      headers: () => context.headers(),
      broken: (call, error) => context.broken(call, error),
      maxBytes: settings.maxAnswerBytes,
      timeoutMs: Math.max(longest, settings.connectTimeoutMs, settings.listTimeoutMs) + SLACK_MS,
    });
    return new HttpTransport(new URL(settings.url), {
      fetch,
      onInsufficientScope: 'throw',
      reconnectionScheduler: (reconnect, delayMs) => {
        const timer = setTimeout(reconnect, Math.max(delayMs, RECONNECT_MS));
        return () => clearTimeout(timer);
      },
    });
  }
  const home = homeOf(settings, context);
  const [program, ...args] = settings.command;
  return new ChildProcessTransport({
    // Runs with the Node.js of this server.
    command: [program === 'node' ? process.execPath : program, ...args],
    environment: { PATH, HOME: home, TMPDIR: home, LANG: 'C.UTF-8', ...settings.environment },
    workingDirectory: settings.workingDirectory ?? home,
    maxMessageBytes: settings.maxAnswerBytes,
    onStderr: (line) => context.onStderr(line),
    onExit: (how) => context.onExit(how),
    running: context.processes,
  });
}

/** A separate folder: files in it can change the behaviour of a program. */
function homeOf({ name, processes }: UpstreamSettings, { key, folder }: TransportContext): string {
  const apart = createHash('sha256').update(key).digest('hex').slice(0, 32);
  const home = join(folder, name, processes === 'shared' ? 'shared' : apart);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return home;
}
