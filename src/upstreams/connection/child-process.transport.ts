/** MCP server in a child process (MCP, stdio), with limits, isolation, and removal of all its processes. */
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { spawn, type ChildProcess } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import type { JsonObject } from '../../lib/json.js';
import { withTimeout } from '../../lib/with-timeout.js';
import { tolerant } from './tolerant-message.js';

export interface ChildProcessOptions {
  readonly command: readonly [string, ...string[]];
  /** Complete environment of the process. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** A longer message is dropped; a dropped answer becomes the error {@link TOO_LARGE}. */
  readonly maxMessageBytes: number;
  /** A line of stderr. */
  onStderr(line: string): void;
  /** End of the process, e.g. `exited with code 1`. */
  onExit(how: string): void;
  /** Set of kill functions of running processes. */
  readonly running: Set<() => void>;
}

/** Wait after the end of stdin, and after SIGTERM. */
const PATIENCE_MS = 1_500;
const MAX_STDERR_LINE = 1_000;
const WARN_EVERY_MS = 1_000;
/** Kept length of both ends of an overlong line. */
const END = 300;
/** Multiple of the limit at which a line counts as endless. */
const ENDLESS = 4;
/** Position of the id of an answer: at the start or the end. Elsewhere it could belong to nested data. */
const LEADING_ID = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,15})\s*,/;
const ID_BEHIND = /,\s*"id"\s*:\s*(\d{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/** Buffered bytes of answers that the process has not read. */
const MAX_UNREAD = 256 * 1024;

/** JSON-RPC error code of an overlong answer (implementation-defined). */
export const TOO_LARGE = -31_001;

export class ChildProcessTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  private child: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private closing: Promise<void> | undefined;
  private warnedAt = -Infinity;
  /** Lines of an incomplete pretty-printed message. */
  private several: string[] = [];
  private severalLength = 0;
  private readonly output: Lines;
  private readonly warnings: Lines;

  constructor(private readonly options: ChildProcessOptions) {
    this.output = new Lines(
      options.maxMessageBytes,
      (line) => this.receive(line),
      (head, tail) => this.skip(head, tail),
      () => this.abandon(),
    );
    const hear = (line: string) => options.onStderr(line);
    this.warnings = new Lines(MAX_STDERR_LINE, hear, hear, () => undefined);
  }

  /** @throws Error if the program cannot be started. */
  async start(): Promise<void> {
    const [program, ...args] = this.options.command;
    const child = spawn(program, args, {
      cwd: this.options.workingDirectory,
      env: this.options.environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      // Own process group, so that children end with it.
      detached: true,
    });
    this.child = child;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.options.onExit(code === null ? `was ended by ${signal}` : `exited with code ${code}`);
        resolve();
      });
      child.once('error', () => resolve());
    });
    child.stdout.on('data', (chunk: Buffer) => {
      this.output.add(chunk);
      // One chunk at a time, so that other work can run in between.
      child.stdout.pause();
      setImmediate(() => child.stdout.resume());
    });
    child.stderr.on('data', (chunk: Buffer) => this.warnings.add(chunk));
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      stream.on('error', (error) => this.onerror?.(error));
    }
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          new Error(`The program cannot be started (${error.code ?? 'unknown error'})`, { cause: error }),
        );
      });
    });
    this.options.running.add(this.kill);
    // Reads the rest of the pipes before it reports the end; a grandchild with open pipes does not delay the report.
    child.once('exit', () => {
      const timer = setTimeout(() => this.end(), PATIENCE_MS).unref();
      child.once('close', () => {
        clearTimeout(timer);
        this.end();
      });
    });
  }

  send(message: JSONRPCMessage): Promise<void> {
    const input = this.child?.stdin;
    if (!input?.writable) return Promise.reject(new Error('The process has ended'));
    if (!('method' in message) && input.writableLength > MAX_UNREAD)
      return Promise.reject(new Error('The program sends requests and does not read the answers'));
    return new Promise((resolve, reject) => {
      input.write(`${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Closes stdin, sends SIGTERM, then SIGKILL. Resolves when all its processes are gone. */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private readonly kill = () => {
    if (this.child?.pid) this.signalGroup(this.child.pid, 'SIGKILL');
  };

  private async shutDown(): Promise<void> {
    const { child } = this;
    if (!child?.pid) return;
    child.stdin?.end();
    await this.gone();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (!this.signalGroup(child.pid, signal)) break;
      await this.gone();
    }
    this.end();
  }

  /** Waits for the process itself; its surviving group is signalled. */
  private gone(): Promise<void> {
    return withTimeout(this.exited, PATIENCE_MS);
  }

  /** @returns true if a process received the signal. */
  private signalGroup(pid: number, signal: NodeJS.Signals): boolean {
    try {
      process.kill(-pid, signal);
      return true;
    } catch {
      return false;
    }
  }

  private end(): void {
    const { child } = this;
    if (!child) return;
    this.child = undefined;
    this.options.running.delete(this.kill);
    // Ends orphaned children.
    if (child.pid) this.signalGroup(child.pid, 'SIGKILL');
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
    this.onclose?.();
  }

  /** Lines that are not messages are ignored. */
  private receive(line: string): void {
    const text = line.trim();
    if (text === '') return;
    const message = this.whole(line.trimEnd(), text);
    if (message === 'more') return;
    if (message?.jsonrpc === '2.0') {
      this.onmessage?.(tolerant(message) as unknown as JSONRPCMessage);
      return;
    }
    // Limits repeated reports.
    const now = performance.now();
    if (now - this.warnedAt < WARN_EVERY_MS) return;
    this.warnedAt = now;
    this.onerror?.(new Error('A line on stdout is not a message'));
  }

  /** @returns the message that ends with this line; `more` for an incomplete multi-line message. */
  private whole(line: string, text: string): JsonObject | 'more' | undefined {
    const isAlone = text.startsWith('{') && text !== '{' ? parsed(text) : undefined;
    // A pretty-printed message starts and ends with a brace on its own line.
    if (isAlone || (this.several.length === 0 && line !== '{')) {
      this.several = [];
      return isAlone;
    }
    this.several.push(line);
    this.severalLength += line.length;
    if (this.several.length === 1) this.severalLength = line.length;
    if (line === '}') {
      const all = this.several.join('\n');
      this.several = [];
      return parsed(all);
    }
    if (this.severalLength <= this.options.maxMessageBytes) return 'more';
    this.several = [];
    return undefined;
  }

  /** The output is unreadable from here on. */
  private abandon(): void {
    this.onerror?.(new Error('A line on stdout does not end'));
    this.kill();
  }

  private skip(head: string, tail: string): void {
    const id = (LEADING_ID.exec(head) ?? ID_BEHIND.exec(tail))?.[1];
    const error = { code: TOO_LARGE, message: 'A message was too large' };
    this.onerror?.(new Error(error.message));
    if (id !== undefined) this.onmessage?.({ jsonrpc: '2.0', id: Number(id), error });
  }
}

function parsed(text: string): JsonObject | undefined {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return undefined;
  }
}

/** Splits bytes into lines; keeps both ends of an overlong line. */
class Lines {
  private readonly decoder = new StringDecoder('utf8');
  private kept: string[] = [];
  private size = 0;
  /** Set for an overlong line. */
  private ends: { head: string; tail: string } | undefined;

  constructor(
    private readonly limit: number,
    private readonly line: (line: string) => void,
    private readonly tooLong: (head: string, tail: string) => void,
    private readonly endless: () => void,
  ) {}

  add(chunk: Buffer): void {
    const parts = this.decoder.write(chunk).split('\n');
    const last = parts.pop() as string;
    for (const part of parts) {
      this.keep(part);
      if (this.ends) this.tooLong(this.ends.head, this.ends.tail);
      else this.line(this.kept.join(''));
      this.forget();
      this.ends = undefined;
    }
    this.keep(last);
  }

  private keep(part: string): void {
    if (this.ends) {
      this.ends.tail = (this.ends.tail + part).slice(-END);
      this.size += part.length;
      if (this.size > this.limit * ENDLESS) this.endless();
      return;
    }
    this.kept.push(part);
    this.size += part.length;
    if (this.size <= this.limit) return;
    const whole = this.kept.join('');
    this.ends = { head: whole.slice(0, END), tail: whole.slice(-END) };
    this.kept = [];
  }

  private forget(): void {
    this.kept = [];
    this.size = 0;
  }
}
