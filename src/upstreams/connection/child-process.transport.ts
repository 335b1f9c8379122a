/** An MCP server as a process of its own, spoken to over its pipes (MCP, stdio): bounded, isolated, and gone when it is closed. */
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { spawn, type ChildProcess } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import type { JsonObject } from '../../lib/json.js';
import { withTimeout } from '../../lib/with-timeout.js';
import { tolerant } from './tolerant-message.js';

export interface ChildProcessOptions {
  readonly command: readonly [string, ...string[]];
  /** All that it gets. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** A longer message is not read; an answer is taken for the error {@link TOO_LARGE}. */
  readonly maxMessageBytes: number;
  /** A line of what it says to nobody in particular. */
  onStderr(line: string): void;
  /** It has ended, e.g. `exited with code 1`. */
  onExit(how: string): void;
  /** Takes in how the process is killed, for as long as it runs. */
  readonly running: Set<() => void>;
}

/** After its input has ended, and after it was asked to go. */
const PATIENCE_MS = 1_500;
const MAX_STDERR_LINE = 1_000;
const WARN_EVERY_MS = 1_000;
/** Of a line that is too long, as much of each end is kept. */
const END = 300;
/** A line so many times longer than it may be is none that will end. */
const ENDLESS = 4;
/** Where the id of an answer is: in front of it, or behind it. Anywhere else it could be anybody's. */
const LEADING_ID = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,15})\s*,/;
const ID_BEHIND = /,\s*"id"\s*:\s*(\d{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/** Of answers to what it asks, so many bytes may wait until it reads them. */
const MAX_UNREAD = 256 * 1024;

/** What an answer is taken for that was too long to be read (JSON-RPC code, of our own). */
export const TOO_LARGE = -31_001;

export class ChildProcessTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  private child: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private closing: Promise<void> | undefined;
  private warnedAt = -Infinity;
  /** Lines of a pretty-printed message that has not ended yet. */
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

  /** @throws Error where the program cannot be started. */
  async start(): Promise<void> {
    const [program, ...args] = this.options.command;
    const child = spawn(program, args, {
      cwd: this.options.workingDirectory,
      env: this.options.environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      // The leader of a group of its own: what it starts itself goes with it.
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
      // One piece at a time: between two of them everybody else has a turn.
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
    // What is left in the pipes is read before the end is told; a grandchild that holds them does not keep it from being told.
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
      return Promise.reject(new Error('It asks, and does not read the answers'));
    return new Promise((resolve, reject) => {
      input.write(`${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Ends its input, asks it to go, makes it go. Resolves when it, and all that it has started, is gone. */
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

  /** Waits for the process itself; a group that outlives it is signalled all the same. */
  private gone(): Promise<void> {
    return withTimeout(this.exited, PATIENCE_MS);
  }

  /** @returns whether there was anybody to signal. */
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
    // What it started and left behind has nobody to work for.
    if (child.pid) this.signalGroup(child.pid, 'SIGKILL');
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
    this.onclose?.();
  }

  /** Some write other things there than messages; those are nobody's business. */
  private receive(line: string): void {
    const text = line.trim();
    if (text === '') return;
    const message = this.whole(line.trimEnd(), text);
    if (message === 'more') return;
    if (message?.jsonrpc === '2.0') {
      this.onmessage?.(tolerant(message) as unknown as JSONRPCMessage);
      return;
    }
    // One of them says as much as a thousand.
    const now = performance.now();
    if (now - this.warnedAt < WARN_EVERY_MS) return;
    this.warnedAt = now;
    this.onerror?.(new Error('A line on stdout is no message'));
  }

  /** @returns the message that ends with this line; `more` where it is one of several lines, and goes on. */
  private whole(line: string, text: string): JsonObject | 'more' | undefined {
    const isAlone = text.startsWith('{') && text !== '{' ? parsed(text) : undefined;
    // A pretty-printed message begins and ends with a brace on a line of its own.
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

  /** It will never say anything again that can be read. */
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

/** Bytes in, lines out; of one that is too long only its two ends, when it is over. */
class Lines {
  private readonly decoder = new StringDecoder('utf8');
  private kept: string[] = [];
  private size = 0;
  /** Of a line that is too long; undefined while it is not. */
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
