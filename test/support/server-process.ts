/** Programs of `dist/` as separate processes: the server and its commands. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { isAbsolute, join } from 'node:path';
import { until } from './remote.js';

const ROOT = join(__dirname, '../..');

export interface ProgramOptions {
  readonly args?: readonly string[];
  /** The environment of the process. Only `PATH` is added from the test process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: the root of the checkout. */
  readonly cwd?: string;
  /** Standard input. Default: empty. */
  readonly input?: string;
  /** File descriptor of standard output. Default: the output is collected. */
  readonly stdout?: number;
}

export interface Ended {
  /** Exit code, or null after a signal. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A process and its output so far. */
export class RunningProgram {
  out = '';
  err = '';
  /** Both streams, in order of arrival. */
  output = '';
  /** Resolves to the exit code once the process has ended and its output is complete. */
  readonly exit: Promise<number | null>;

  constructor(readonly child: ChildProcess) {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      this.output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
      this.output += text;
    });
    this.exit = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    this.exit.catch(() => undefined);
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Sends the signal and waits for the end. @returns the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.exit;
  }
}

/** The server, listening. */
export class ServerProcess extends RunningProgram {
  constructor(
    child: ChildProcess,
    readonly origin: string,
  ) {
    super(child);
  }
}

/** @param program path below `dist/`, or absolute. */
export function startProgram(program: string, options: ProgramOptions = {}): RunningProgram {
  return new RunningProgram(spawnProgram(program, options));
}

/** Runs the program to its end without blocking the servers of the test process. */
export async function runProgram(program: string, options: ProgramOptions = {}): Promise<Ended> {
  const running = startProgram(program, options);
  const code = await running.exit;
  return { code, out: running.out, err: running.err };
}

/** Runs the program to its end and blocks the test process: for programs that call no server of the test. */
export function runProgramSync(program: string, options: Omit<ProgramOptions, 'stdout'> = {}): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [pathOf(program), ...(options.args ?? [])], {
    cwd: options.cwd ?? ROOT,
    env: environmentOf(options),
    input: options.input ?? '',
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return { code: status, out: stdout, err: stderr };
}

export interface ServerOptions extends Omit<ProgramOptions, 'env'> {
  /** Default: `main.js` of `dist/`. */
  readonly program?: string;
  /** The check that must pass before the server counts as started. Default: `live`. */
  readonly check?: 'live' | 'ready';
}

/**
 * Starts the server and waits until `/health/live` or `/health/ready` returns 200.
 * @param env contains `PORT`.
 * @throws Error with the output if the process ends first, or if the check fails for 30 seconds.
 */
export async function startServer(
  env: NonNullable<ProgramOptions['env']>,
  options: ServerOptions = {},
): Promise<ServerProcess> {
  const { program = 'main.js', check = 'live', ...rest } = options;
  const server = new ServerProcess(spawnProgram(program, { ...rest, env }), `http://127.0.0.1:${env.PORT}`);
  try {
    await until(async () => server.hasEnded || (await passesHealthCheck(server.origin, check)), 30_000);
  } catch {
    server.child.kill('SIGKILL');
    throw new Error(`The server did not start within 30 s: ${server.output}`);
  }
  if (server.hasEnded) throw new Error(`The server ended with ${await server.exit}: ${server.output}`);
  return server;
}

/** Returns false if no server listens. */
export async function passesHealthCheck(origin: string, check: 'live' | 'ready' = 'live'): Promise<boolean> {
  try {
    const answer = await fetch(`${origin}/health/${check}`);
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}

function spawnProgram(program: string, options: ProgramOptions): ChildProcess {
  const child = spawn(process.execPath, [pathOf(program), ...(options.args ?? [])], {
    cwd: options.cwd ?? ROOT,
    env: environmentOf(options),
    stdio: ['pipe', options.stdout ?? 'pipe', 'pipe'],
  });
  // The program may end before it has read its input.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.input ?? '');
  return child;
}

function pathOf(program: string): string {
  return isAbsolute(program) ? program : join(ROOT, 'dist', program);
}

function environmentOf({ env }: ProgramOptions): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, ...env };
}
