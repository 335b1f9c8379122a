/** Conditions that prevent startup and their messages. */
import { Injectable, Module, Scope, type Type } from '@nestjs/common';
import { IsString } from 'class-validator';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOG_EVENTS } from '../src/core/log-events.js';
import { createApp } from '../src/create-app.js';
import { AnyPrincipal, RequireScopes } from '../src/policy/decorators.js';
import { Prompt, Resource, Tool } from '../src/tools/decorators.js';
import { freePort, gateEnv, temporaryFolder } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { until } from './support/remote.js';
import { passesHealthCheck, startProgram, startServer } from './support/server-process.js';

/** Contexts of the lines that Nest itself writes. */
const NEST_CONTEXTS = [
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
];

class Input {
  @IsString()
  text: string;
}

@Injectable()
class WithoutRule {
  @Tool({ name: 'without_rule', description: 'd' })
  run(_input: Input): void {}
}

@Injectable()
class Contradiction {
  @Tool({ name: 'contradiction', description: 'd' })
  @AnyPrincipal()
  @RequireScopes('a')
  run(): void {}
}

@Injectable()
@RequireScopes('a')
class Twins {
  @Tool({ name: 'twin', description: 'd' })
  one(): void {}
  @Tool({ name: 'twin', description: 'd' })
  two(): void {}
}

@Injectable()
@RequireScopes('a')
class WithoutDto {
  @Tool({ name: 'without_dto', description: 'd' })
  run(_input: { text: string }): void {}
}

@Injectable()
@RequireScopes('a')
class BadName {
  @Tool({ name: 'no spaces', description: 'd' })
  run(): void {}
}

@Injectable()
@RequireScopes('a')
class NoDescription {
  @Tool({ name: 'no_description', description: ' ' })
  run(): void {}
}

@Injectable({ scope: Scope.REQUEST })
@RequireScopes('a')
class PerRequest {
  @Tool({ name: 'per_request', description: 'd' })
  run(): void {}
}

@Injectable()
@RequireScopes('a')
class BadTemplate {
  @Resource({ name: 'bad_template', uriTemplate: 'docs://{+path}' })
  run(): void {}
}

class Numeric {
  @IsString()
  readonly text: string;
}

@Injectable()
@RequireScopes('a')
class PromptTwins {
  @Prompt({ name: 'p' })
  one(_input: Numeric): string {
    return '';
  }
  @Prompt({ name: 'p' })
  two(): string {
    return '';
  }
}

const FILE = join('test', 'startup.e2e-spec.ts');

describe('tool declarations at startup', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  async function boot(provider: Type, env: Record<string, string> = {}): Promise<string> {
    @Module({ providers: [provider] })
    class Under {}
    const variables = { ...gateEnv('http://127.0.0.1:9', await freePort(), folder.path), ...env };
    try {
      const app = await createApp(variables, { imports: [Under] });
      await app.close();
      return 'started';
    } catch (error) {
      return (error as Error).message;
    }
  }

  it.each([
    [WithoutRule, `${FILE}: WithoutRule.run: no access rule`],
    [Contradiction, `${FILE}: Contradiction.run: @AnyPrincipal contradicts`],
    [Twins, `${FILE}: Twins.two: the tool twin is already declared by Twins.one`],
    [WithoutDto, `${FILE}: WithoutDto.run: the first parameter must be a class-validator class`],
    [BadName, `${FILE}: BadName.run: "no spaces" is not 1 to 128 characters`],
    [NoDescription, `${FILE}: NoDescription.run: a tool needs a description`],
    [PerRequest, `${FILE}: PerRequest.run: the provider must not be request-scoped`],
    [BadTemplate, `${FILE}: BadTemplate.run: docs://{+path} has `],
    [PromptTwins, `${FILE}: PromptTwins.two: the prompt p is already declared by PromptTwins.one`],
  ] as const)('reject %p with a sentence that names file, class and method', async (provider, sentence) => {
    expect(await boot(provider)).toContain(sentence);
  });

  it('reject an empty scope list when the class loads', () => {
    expect(() => {
      class Empty {
        // @ts-expect-error the types refuse it as well
        @RequireScopes()
        run(): void {}
      }
      return Empty;
    }).toThrow(/^@RequireScopes on Empty\.run \(test\/startup\.e2e-spec\.ts\): the list is empty$/);
  });

  it('reject an allow-list with an unknown name', async () => {
    @Injectable()
    class Nothing {}
    expect(await boot(Nothing, { TOOL_ALLOW_LIST: 'read_customer,raed_customer' })).toContain(
      'TOOL_ALLOW_LIST: unknown target raed_customer',
    );
  });
});

describe('npm run start:prod', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  function start(env: Record<string, string>, program = 'main.js', args: readonly string[] = []) {
    return startProgram(program, { args, cwd: folder.path, env });
  }

  it('names every invalid setting, without the values, and exits with 1 before it listens', async () => {
    const server = start({
      PORT: 'eighty-secret',
      AUTH_ISSUER: 'http://login.secret.example.com',
      AUTH_ALGORITHMS: 'HS256',
      AUTH_AUDIENCE: '',
      DENIAL_DETAIL: 'secret-mode',
      IDENTITY_FILE: '/secret/identity.yaml',
    });
    expect(await server.exit).toBe(1);
    for (const name of [
      'PORT',
      'AUTH_ISSUER',
      'AUTH_ALGORITHMS',
      'AUTH_AUDIENCE',
      'DENIAL_DETAIL',
      'IDENTITY_FILE',
      'TOOL_ALLOW_LIST',
    ]) {
      expect(server.err).toMatch(new RegExp(`^  - ${name}: `, 'm'));
    }
    expect(server.err + server.out).not.toMatch(/secret|HS256,?$/m);
  });

  it('starts, logs relaxed settings, serves requests and stops on SIGTERM', async () => {
    const file = join(folder.path, '.env');
    writeFileSync(
      file,
      '\u{feff}FOO=1\r\n\tTOOL_ALLOW_LIST="a" # all\r\nexport AUTH_REQUIRE_HUMAN=false\r\n',
    );
    const port = await freePort();
    const env = {
      ...gateEnv('http://127.0.0.1:9', port, folder.path),
      LOG_LEVEL: 'info',
      AUTH_AUDIANCE: 'x',
    };
    const server = start(env);
    await until(() => passesHealthCheck(`http://127.0.0.1:${port}`), 30_000);
    expect(server.out).toContain('TOOL_ALLOW_LIST=*: every registered tool');
    rmSync(file);
    expect(server.out).toContain('AUTH_REQUIRE_HUMAN=false: ');
    expect(server.out).toContain('.env line 1: FOO is not a variable of this server');
    expect(server.out).toContain('.env line 2: TOOL_ALLOW_LIST has no effect');
    expect(server.out).toContain('AUTH_AUDIANCE is not a variable of this server');
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await server.stop()).toBe(0);
    const own = server.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { context?: string; event?: string })
      .filter(({ context = '' }) => !NEST_CONTEXTS.includes(context));
    expect(own.filter(({ event = '' }) => !Object.hasOwn(LOG_EVENTS, event))).toEqual([]);
    expect(own.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['config.notice', 'server.started', 'audit.opened', 'server.draining']),
    );
  });

  it('starts without tools, logs this in one line and returns an empty tools/list', async () => {
    const issuer = await TestIssuer.start();
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/mcp`;
    const { EXAMPLE_TOOLS: _, ...env } = gateEnv(issuer.url, port, folder.path);
    const server = start({
      ...env,
      LOG_LEVEL: 'info',
      DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
      REVOCATION_MAX_AGE_SECONDS: '0',
    });
    await until(() => passesHealthCheck(`http://127.0.0.1:${port}`), 60_000);
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await issuer.mint(url)}`,
        'content-type': 'application/json',
        accept: 'application/json',
        'mcp-protocol-version': '2025-11-25',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
    });
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { jsonrpc: '2.0', id: 1, result: expect.objectContaining({ tools: [] }) },
    ]);
    const lines = server.out.split('\n').filter((line) => line.includes('No tools: register a module'));
    expect(lines).toEqual([expect.stringContaining('or set EXAMPLE_TOOLS=true')]);
    expect(await server.stop()).toBe(0);
    await issuer.stop();
  });

  it.each([
    ['a line without =', 'policy\n', '.env: line 1 has no "="'],
    ['an unclosed quote', 'A="x\nPOLICY_DIR=nowhere\nB="y"\n', '.env: line 1 has a quote'],
    ['another spelling', 'policy_dir=nowhere\n', '.env: line 1 sets policy_dir: write POLICY_DIR'],
    ['an escape', '\nA="s3cret\\n"', '.env: line 2 has a backslash'],
    ['a tab on a separate line', '# gate\n\t\nPOLICY_DIR=nowhere\n', 'POLICY_DIR: the folder cannot be read'],
  ])('does not start without the settings of a .env file with %s', async (_case, text, says) => {
    writeFileSync(join(folder.path, '.env'), text);
    try {
      const server = start(gateEnv('http://127.0.0.1:9', await freePort(), folder.path));
      expect(await server.exit).toBe(1);
      expect(server.err).toContain(says);
      expect(server.err).not.toMatch(/    at |s3cret/);
    } finally {
      rmSync(join(folder.path, '.env'));
    }
  });

  it.each<[string, readonly string[], number]>([
    ['audit', ['verify'], 3],
    ['doctor', [], 1],
    ['policy', ['check'], 3],
    ['posture', [], 3],
    ['revoke', ['list'], 3],
    ['upstreams', ['test'], 3],
    ['start', [], 1],
  ])('rejects the same .env file in mcp-gate %s', async (command, args, code) => {
    writeFileSync(join(folder.path, '.env'), 'A=1\nTOOL_ALLOW_LIST="s3cret\n');
    try {
      const program = start({}, 'cli/mcp-gate.js', [command, ...args]);
      expect(await program.exit).toBe(code);
      // The doctor reports the fault as a finding, the other commands as an error.
      expect(command === 'doctor' ? program.out : program.err).toContain(
        '.env: line 2 has a quote that does not end on the same line',
      );
      expect(program.output).not.toMatch(/    at |s3cret/);
    } finally {
      rmSync(join(folder.path, '.env'));
    }
  });

  it.each([
    ['HOST', { HOST: '192.0.2.77', PUBLIC_URL: 'https://gate.example.com', TRUST_PROXY: '1' }],
    ['HOST', { HOST: 'nowhere.invalid', PUBLIC_URL: 'https://gate.example.com', TRUST_PROXY: '1' }],
    ['TRUST_PROXY', { TRUST_PROXY: 'fade' }],
  ])('reports in one sentence an unusable %s', async (name, more) => {
    const env = { ...gateEnv('http://127.0.0.1:9', await freePort(), folder.path), ...more };
    const server = start({ ...env, DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' });
    expect(await server.exit).toBe(1);
    expect(server.err).toContain(`${name}: `);
    expect(server.err).not.toContain('    at ');
  });

  it('stops on a SIGTERM that only npm receives', async () => {
    const port = await freePort();
    const npm = spawn('npm', ['run', '--silent', 'start:prod'], {
      cwd: join(__dirname, '..'),
      stdio: 'ignore',
      env: {
        PATH: process.env.PATH,
        HOME: folder.path,
        ...gateEnv('http://127.0.0.1:9', port, folder.path),
        DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
      },
    });
    const live = () => passesHealthCheck(`http://127.0.0.1:${port}`);
    await until(live, 60_000);
    const ended = once(npm, 'exit');
    npm.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(await live()).toBe(false);
  }, 90_000);

  it('starts again after repeated kills during the first creation of its files', async () => {
    const data = join(folder.path, 'killed');
    const unfinished = join(data, 'database.unfinished');
    const env = async () => gateEnv('http://127.0.0.1:9', await freePort(), data);
    for (const moment of [0, 100, 400, 1500]) {
      const server = start(await env());
      await until(
        () => Promise.resolve(existsSync(unfinished) || existsSync(join(data, 'database'))),
        60_000,
      );
      await new Promise((resolve) => setTimeout(resolve, moment));
      await server.stop('SIGKILL');
      rmSync(join(data, 'database'), { recursive: true, force: true });
    }
    // The state that an earlier version left.
    rmSync(join(data, 'audit.jsonl'), { force: true });
    writeFileSync(join(data, 'audit-key.pem'), '');
    writeFileSync(join(data, 'audit.jsonl.lock'), '{"pid":1');
    const last = await env();
    const server = start(last);
    const databaseIsReady = async () => {
      const answer = await fetch(`http://127.0.0.1:${last.PORT}/health/ready`).catch(() => undefined);
      const report = (await answer?.json()) as
        { checks: { database: boolean; audit_log: boolean } } | undefined;
      return report?.checks.database === true && report.checks.audit_log;
    };
    await until(databaseIsReady, 120_000);
    expect(existsSync(unfinished)).toBe(false);
    expect(await server.stop()).toBe(0);
  }, 240_000);

  it('does not share its audit log with a second server', async () => {
    const port = await freePort();
    const first = await createApp(gateEnv('http://127.0.0.1:9', port, folder.path));
    const server = start(gateEnv('http://127.0.0.1:9', await freePort(), folder.path));
    expect(await server.exit).toBe(1);
    expect(server.err).toContain('audit.jsonl.lock');
    expect(server.err).not.toContain('    at ');
    await first.close();
  });
});

it('keeps running when its log cannot be written', async () => {
  const folder = temporaryFolder();
  const port = await freePort();
  const full = openSync('/dev/full', 'w');
  const env = {
    ...gateEnv('http://127.0.0.1:9', port, folder.path),
    LOG_LEVEL: 'info',
    DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
  };
  const server = await startServer(env, { stdout: full });
  try {
    for (let request = 0; request < 50; request++) await fetch(`${server.origin}/nowhere`);
    expect(await passesHealthCheck(server.origin)).toBe(true);
  } finally {
    expect(await server.stop()).toBe(0);
    closeSync(full);
    folder.remove();
  }
});
