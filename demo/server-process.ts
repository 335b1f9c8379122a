/** The built server as a child process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** A new embedded database needs some seconds, and more on a busy machine. */
const READY_DEADLINE_MS = 90_000;
const STOP_DEADLINE_MS = 5_000;
const PAUSE_MS = 200;
const KEPT_LINES = 60;
/** The only inherited variables: a DATABASE_URL of the shell must not make the demo change that database. */
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'LANG'];

export interface ServerProcess {
  /** @throws Error with the last output if the server ends or is not ready in time. */
  waitUntilReady(): Promise<void>;
  /** The last output as a block for printing. */
  lastWords(): string;
  stop(): Promise<void>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
}

/**
 * @param script the built server.
 * @param folder working folder, different from the current one, whose `.env` belongs to another server.
 * @param env variables in addition to a few of the system.
 * @param origin the address of the server.
 */
export function startServer(
  script: string,
  folder: string,
  env: Record<string, string>,
  origin: string,
): ServerProcess {
  if (!existsSync(script)) throw new Error(`${script} is missing: run npm run build first`);
  const child = spawn(process.execPath, [script], {
    cwd: folder,
    env: { ...systemVariables(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A separate process group: the demo handles Ctrl-C and stops the server in order.
    detached: true,
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      lines.push(...text.split('\n').filter((line) => line !== ''));
      lines.splice(0, lines.length - KEPT_LINES);
    });
  }
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const killAtExit = () => child.kill('SIGKILL');
  process.once('exit', killAtExit);
  const lastWords = () =>
    lines.length === 0
      ? 'It wrote no output.'
      : `Its last output:\n${lines.join('\n').replace(/^/gm, '  | ')}`;
  return {
    ended,
    lastWords,
    waitUntilReady: async () => {
      const fault = await waitUntilReady(child, origin);
      if (fault !== undefined) throw new Error(`The server ${fault}. ${lastWords()}`);
    },
    stop: async () => {
      await stop(child);
      process.removeListener('exit', killAtExit);
    },
  };
}

/** A port that was free at the time of the check. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @throws Error if a process listens on the port; it names the option that chooses another port. */
export async function requireFreePort(port: number, option: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      reject(new Error(`Port ${port} cannot be used (${code}). Choose another port with ${option} NUMBER`));
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

/** @returns the fault, or undefined once the server is ready. */
async function waitUntilReady(child: ChildProcess, origin: string): Promise<string | undefined> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (Date.now() < deadline) {
    if (hasEnded(child)) return 'ended before it was ready';
    const response = await fetch(`${origin}/health/ready`).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.status === 200) return undefined;
    await pause(PAUSE_MS);
  }
  return `was not ready after ${READY_DEADLINE_MS / 1000} s`;
}

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await ended;
  clearTimeout(timer);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function systemVariables(): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
