/** The fixture MCP servers as upstreams: started over HTTP, or as an entry of `UPSTREAMS_FILE`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const FIXTURES = join(__dirname, '../upstreams/fixtures');
export const FIXTURE_SECRET = 'sk-fixture-0123456789abcdef';

/** One recorded event of a fixture. */
export type Recorded = Record<string, any>;

/** The command of the stdio fixture. @param to its behaviours, listed at the top of `server.mjs`. */
export function fixtureCommand(folder: string, to = 'bare'): string[] {
  return ['node', join(FIXTURES, 'server.mjs'), '--dir', folder, ...(to === '' ? [] : ['--do', to])];
}

export function recordOf(folder: string): Recorded[] {
  try {
    return readFileSync(join(folder, 'record.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Recorded);
  } catch {
    return [];
  }
}

/** Names of the tools whose calls reached the fixture. */
export function callsOf(folder: string): string[] {
  return recordOf(folder)
    .filter(({ event }) => event === 'call')
    .map(({ name }) => name as string);
}

/** Writes `UPSTREAMS_FILE` as JSON, which is valid YAML. @returns the variable. */
export function upstreamsFile(folder: string, upstreams: readonly object[]): { UPSTREAMS_FILE: string } {
  const path = join(folder, 'upstreams.yaml');
  writeFileSync(path, JSON.stringify({ upstreams }));
  return { UPSTREAMS_FILE: path };
}

/** The fixture over Streamable HTTP. */
export class HttpFixture {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    readonly folder: string,
  ) {}

  static async start(folder: string, to = ''): Promise<HttpFixture> {
    const args = [join(FIXTURES, 'http-server.mjs'), '--dir', folder, ...(to === '' ? [] : ['--do', to])];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
    return new HttpFixture(child, (JSON.parse(line) as { url: string }).url, folder);
  }

  /** MCP requests so far. */
  get requests(): Recorded[] {
    return recordOf(this.folder).filter(({ event, path }) => event === 'http' && path === '/mcp');
  }

  /** The headers of each `tools/call`. */
  get callHeaders(): Record<string, string>[] {
    return this.requests
      .filter(({ body }) =>
        String(typeof body === 'string' ? body : JSON.stringify(body)).includes('tools/call'),
      )
      .map(({ headers }) => headers as Record<string, string>);
  }

  async control(command: string): Promise<void> {
    await fetch(new URL(`/control/${command}`, this.url), { method: 'POST' });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

/** Waits for the condition; fails after ten seconds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let left = 200; left > 0; left--) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Timed out, expected: ${what}`);
}
