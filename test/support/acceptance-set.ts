/** Published MCP servers: their start commands and local replacements for their clouds. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export const UPSTREAMS = join(__dirname, '../upstreams');
const FIXTURES = join(UPSTREAMS, 'fixtures');
const PACKAGES = join(UPSTREAMS, 'node_modules');

/** The start settings of an `UPSTREAMS_FILE` entry. */
export interface Started {
  readonly command: string[];
  readonly env?: Record<string, string>;
}

export type AcceptanceName =
  | 'playwright'
  | 'magic'
  | 'everything'
  | 'filesystem'
  | 'memory'
  | 'context7'
  | 'exa'
  | 'notion'
  | 'github'
  | 'neon';

/** Installs the missing packages; fast if all are installed. */
export function installAcceptanceSet(): void {
  execFileSync(join(UPSTREAMS, 'setup.sh'), { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** The browser for playwright-mcp; undefined if Chromium is not installed. */
export function chromiumPath(): string | undefined {
  const named = process.env.CHROMIUM_PATH;
  const candidates = named
    ? [named]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'chromium'));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * The start settings of each server of the set.
 * @param folder - data folder of the servers.
 * @param clouds - the address of {@link Clouds}; without it, servers of a cloud list their tools and fail their
 *   calls.
 */
export function acceptanceSet(folder: string, clouds?: Clouds): Record<AcceptanceName, Started> {
  const script = (path: string, ...args: string[]) => ['node', join(PACKAGES, path), ...args];
  const reference = (name: string, ...args: string[]) =>
    script(`@modelcontextprotocol/server-${name}/dist/index.js`, ...args);
  const share = join(folder, 'share');
  mkdirSync(share, { recursive: true });
  const browser = [
    '--executable-path',
    chromiumPath() ?? 'chromium',
    '--headless',
    '--no-sandbox',
    '--isolated',
  ];
  return {
    // Only local pages are opened, so the sandbox, which root cannot use, may be off.
    playwright: { command: script('@playwright/mcp/cli.js', ...browser, '--no-webmcp') },
    magic: {
      command: script('@21st-dev/magic/dist/index.js'),
      env: { API_KEY_21ST: 'magic-key', MCP_URL_21ST: `${clouds?.url ?? 'http://127.0.0.1:9'}/21st` },
    },
    everything: { command: reference('everything') },
    filesystem: { command: reference('filesystem', share) },
    memory: { command: reference('memory'), env: { MEMORY_FILE_PATH: join(folder, 'memory.jsonl') } },
    context7: {
      command: script('@upstash/context7-mcp/dist/index.js'),
      env: {
        CONTEXT7_API_KEY: 'ctx7sk-key',
        CONTEXT7_API_URL: `${clouds?.url ?? 'http://127.0.0.1:9'}/context7`,
      },
    },
    exa: { command: script('exa-mcp-server/dist/stdio.cjs'), env: { EXA_API_KEY: 'exa-key' } },
    notion: {
      command: script('@notionhq/notion-mcp-server/bin/cli.mjs'),
      env: { NOTION_TOKEN: 'ntn_key', BASE_URL: `${clouds?.url ?? 'http://127.0.0.1:9'}/notion` },
    },
    github: { command: reference('github'), env: { GITHUB_PERSONAL_ACCESS_TOKEN: 'ghp_key' } },
    neon: {
      command: script('@neondatabase/mcp-server-neon/dist/index.js', 'start', 'neon-key'),
      ...(clouds && { env: { HTTPS_PROXY: clouds.url, NODE_EXTRA_CA_CERTS: clouds.ca } }),
    },
  };
}

/** A fixture process that listens: `http-server.mjs`, `modern-server.mjs` or `clouds.mjs`. */
export class Fixture<Ready extends { url: string } = { url: string }> {
  private constructor(
    private readonly child: ChildProcess,
    readonly ready: Ready,
    readonly folder: string,
  ) {}

  static async start<Ready extends { url: string }>(
    file: string,
    folder: string,
    ...args: string[]
  ): Promise<Fixture<Ready>> {
    const child = spawn(process.execPath, [join(FIXTURES, file), '--dir', folder, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH },
    });
    const [line] = (await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(() => [undefined]),
    ])) as [Buffer | undefined];
    if (line === undefined) throw new Error(`${file} did not start`);
    return new Fixture(child, JSON.parse(line.toString()) as Ready, folder);
  }

  get url(): string {
    return this.ready.url;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

export type Clouds = { readonly url: string; readonly ca: string };
