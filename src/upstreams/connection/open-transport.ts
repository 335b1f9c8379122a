/** How one upstream is reached: a process of its own, or HTTP. */
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
  /** Which conversation it is for: those of different keys get folders of their own. */
  readonly key: string;
  /** Where upstreams work that name no folder. */
  readonly folder: string;
  headers(): Promise<Readonly<Record<string, string>>>;
  onStderr(line: string): void;
  /** Its process has ended, e.g. `exited with code 1`. */
  onExit(how: string): void;
  /** The answer to a request has broken off, or is over: by its {@link CALL_HEADER}. */
  broken(call: string, error: Error): void;
  /** Takes in how each process that runs is killed, for as long as it does. */
  readonly processes: Set<() => void>;
}

/** Where programs are found, unless the operator says otherwise. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** What is left of a time limit when the client library has given up. */
const SLACK_MS = 5_000;

/** An upstream that ends its streams, and asks to be back at once, is not. */
const RECONNECT_MS = 1_000;
/** Answers to what it asks, at once: each is a request of its own, for which it can take its time. */
const MAX_REPLIES = 8;

class HttpTransport extends StreamableHTTPClientTransport {
  private replies = 0;

  override async send(
    message: JSONRPCMessage | JSONRPCMessage[],
    options?: TransportSendOptions,
  ): Promise<void> {
    if (Array.isArray(message) || 'method' in message) return super.send(message, options);
    if (this.replies >= MAX_REPLIES) throw new Error('It asks faster than it takes the answers');
    this.replies += 1;
    try {
      await super.send(message, options);
    } finally {
      this.replies -= 1;
    }
  }
}

/** @throws Error where its folder cannot be made. */
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
    // The one that runs this server: another one may be found under the same name.
    command: [program === 'node' ? process.execPath : program, ...args],
    environment: { PATH, HOME: home, TMPDIR: home, LANG: 'C.UTF-8', ...settings.environment },
    workingDirectory: settings.workingDirectory ?? home,
    maxMessageBytes: settings.maxAnswerBytes,
    onStderr: (line) => context.onStderr(line),
    onExit: (how) => context.onExit(how),
    running: context.processes,
  });
}

/** Of its own, since files in it can change what a program does. */
function homeOf({ name, processes }: UpstreamSettings, { key, folder }: TransportContext): string {
  const apart = createHash('sha256').update(key).digest('hex').slice(0, 32);
  const home = join(folder, name, processes === 'shared' ? 'shared' : apart);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return home;
}
