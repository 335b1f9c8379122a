/** What the server refuses to start with, and what it says. */
import { Injectable, Module, Scope, type Type } from '@nestjs/common';
import { IsString } from 'class-validator';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApp } from '../src/create-app.js';
import { AnyPrincipal, RequireScopes } from '../src/policy/decorators.js';
import { Prompt, Resource, Tool } from '../src/tools/decorators.js';
import { freePort, gateEnv, temporaryFolder } from './support/gate.js';
import { until } from './support/remote.js';

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

const FILE = join('test', 'boot.e2e-spec.ts');

describe('declarations', () => {
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
  ] as const)(
    '%p stops the boot with a sentence that names file, class and method',
    async (provider, sentence) => {
      expect(await boot(provider)).toContain(sentence);
    },
  );

  it('an empty list of scopes does not even load', () => {
    expect(() => {
      class Empty {
        // @ts-expect-error the types refuse it as well
        @RequireScopes()
        run(): void {}
      }
      return Empty;
    }).toThrow(/^@RequireScopes on Empty\.run \(test\/boot\.e2e-spec\.ts\): the list is empty$/);
  });

  it('an allow-list that names what is not there stops the boot', async () => {
    @Injectable()
    class Nothing {}
    expect(await boot(Nothing, { TOOL_ALLOW_LIST: 'read_customer,raed_customer' })).toContain(
      'TOOL_ALLOW_LIST: raed_customer is the name of nothing that this server has',
    );
  });
});

describe('npm run start:prod', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  function start(env: Record<string, string>, program = 'main.js', words: readonly string[] = []) {
    const child = spawn(process.execPath, [join(__dirname, '../dist', program), ...words], {
      cwd: folder.path,
      env: { PATH: process.env.PATH, ...env },
    });
    const seen = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (seen.stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (seen.stderr += String(chunk)));
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    return { child, seen, exit };
  }

  it('names every fault at once, without the values, and exits 1 before it listens', async () => {
    const { seen, exit } = start({
      PORT: 'eighty-secret',
      AUTH_ISSUER: 'http://login.secret.example.com',
      AUTH_ALGORITHMS: 'HS256',
      AUTH_AUDIENCE: '',
      DENIAL_DETAIL: 'secret-mode',
      IDENTITY_FILE: '/secret/identity.yaml',
    });
    expect(await exit).toBe(1);
    for (const name of [
      'PORT',
      'AUTH_ISSUER',
      'AUTH_ALGORITHMS',
      'AUTH_AUDIENCE',
      'DENIAL_DETAIL',
      'IDENTITY_FILE',
      'TOOL_ALLOW_LIST',
    ]) {
      expect(seen.stderr).toMatch(new RegExp(`^  - ${name}: `, 'm'));
    }
    expect(seen.stderr + seen.stdout).not.toMatch(/secret|HS256,?$/m);
  });

  it('starts, says what is relaxed, answers, and stops on SIGTERM', async () => {
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
    const { child, seen, exit } = start(env);
    const live = async () =>
      (await fetch(`http://127.0.0.1:${port}/health/live`).catch(() => undefined))?.status;
    while ((await live()) !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen.stdout).toContain('TOOL_ALLOW_LIST=*: every registered tool');
    rmSync(file);
    expect(seen.stdout).toContain('AUTH_REQUIRE_HUMAN=false: ');
    expect(seen.stdout).toContain('.env line 1: FOO is not a variable of this server');
    expect(seen.stdout).toContain('.env line 2: TOOL_ALLOW_LIST has no effect');
    expect(seen.stdout).toContain('AUTH_AUDIANCE is not a variable of this server');
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`);
    expect(ready.status).toBe(503);
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
  });

  it.each([
    ['a line without =', 'policy\n', '.env: line 1 has no "="'],
    ['an unclosed quote', 'A="x\nPOLICY_DIR=nowhere\nB="y"\n', '.env: line 1 has a quote'],
    ['another spelling', 'policy_dir=nowhere\n', '.env: line 1 sets policy_dir: write POLICY_DIR'],
    ['an escape', '\nA="s3cret\\n"', '.env: line 2 has a backslash'],
    [
      'a tab on a line of its own',
      '# gate\n\t\nPOLICY_DIR=nowhere\n',
      'POLICY_DIR: the folder cannot be read',
    ],
  ])('does not start without the settings of a .env file with %s', async (_case, text, says) => {
    writeFileSync(join(folder.path, '.env'), text);
    try {
      const { seen, exit } = start(gateEnv('http://127.0.0.1:9', await freePort(), folder.path));
      expect(await exit).toBe(1);
      expect(seen.stderr).toContain(says);
      expect(seen.stderr).not.toMatch(/    at |s3cret/);
    } finally {
      rmSync(join(folder.path, '.env'));
    }
  });

  it.each(['auditor', 'posture', 'doctor', 'revoker', 'curator', 'advisor'])(
    'rejects the same .env file in %s',
    async (command) => {
      writeFileSync(join(folder.path, '.env'), 'A=1\nTOOL_ALLOW_LIST="s3cret\n');
      const words: Record<string, string[]> = {
        auditor: ['verify'],
        revoker: ['list'],
        curator: ['test'],
        advisor: ['check'],
      };
      try {
        const { seen, exit } = start({}, `${command}/main.js`, words[command]);
        expect(await exit).not.toBe(0);
        // The doctor reports the fault as a finding, the other commands as an error.
        const output = command === 'doctor' ? seen.stdout : seen.stderr;
        expect(output).toContain('.env: line 2 has a quote that does not end on the same line');
        expect(seen.stderr + seen.stdout).not.toMatch(/    at |s3cret/);
      } finally {
        rmSync(join(folder.path, '.env'));
      }
    },
  );

  it.each([
    ['HOST', { HOST: '192.0.2.77', PUBLIC_URL: 'https://gate.example.com', TRUST_PROXY: '1' }],
    ['HOST', { HOST: 'nowhere.invalid', PUBLIC_URL: 'https://gate.example.com', TRUST_PROXY: '1' }],
    ['TRUST_PROXY', { TRUST_PROXY: 'fade' }],
  ])('says in a sentence that it cannot work with this %s', async (name, more) => {
    const env = { ...gateEnv('http://127.0.0.1:9', await freePort(), folder.path), ...more };
    const { seen, exit } = start({ ...env, DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' });
    expect(await exit).toBe(1);
    expect(seen.stderr).toContain(`${name}: `);
    expect(seen.stderr).not.toContain('    at ');
  });

  it('stops on a SIGTERM that npm alone gets', async () => {
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
    const live = () =>
      fetch(`http://127.0.0.1:${port}/health/live`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(live, 60_000);
    const ended = once(npm, 'exit');
    npm.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(await live()).toBe(false);
  }, 90_000);

  it('starts again after any number of kills while it made its files for the first time', async () => {
    const data = join(folder.path, 'killed');
    const unfinished = join(data, 'database.unfinished');
    const env = async () => gateEnv('http://127.0.0.1:9', await freePort(), data);
    for (const moment of [0, 100, 400, 1500]) {
      const { child, exit } = start(await env());
      await until(
        () => Promise.resolve(existsSync(unfinished) || existsSync(join(data, 'database'))),
        60_000,
      );
      await new Promise((resolve) => setTimeout(resolve, moment));
      child.kill('SIGKILL');
      await exit;
      rmSync(join(data, 'database'), { recursive: true, force: true });
    }
    // As the server of an earlier version left them.
    rmSync(join(data, 'audit.jsonl'), { force: true });
    writeFileSync(join(data, 'audit-key.pem'), '');
    writeFileSync(join(data, 'audit.jsonl.lock'), '{"pid":1');
    const last = await env();
    const { child, exit } = start(last);
    const databaseIsReady = async () => {
      const answer = await fetch(`http://127.0.0.1:${last.PORT}/health/ready`).catch(() => undefined);
      const report = (await answer?.json()) as
        { checks: { database: boolean; audit_log: boolean } } | undefined;
      return report?.checks.database === true && report.checks.audit_log;
    };
    await until(databaseIsReady, 120_000);
    expect(existsSync(unfinished)).toBe(false);
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
  }, 240_000);

  it('does not share its audit log with a second server', async () => {
    const port = await freePort();
    const first = await createApp(gateEnv('http://127.0.0.1:9', port, folder.path));
    const { seen, exit } = start(gateEnv('http://127.0.0.1:9', await freePort(), folder.path));
    expect(await exit).toBe(1);
    expect(seen.stderr).toContain('audit.jsonl.lock');
    await first.close();
  });
});

it('a log that cannot be written stops nobody', async () => {
  const folder = temporaryFolder();
  const port = await freePort();
  const full = openSync('/dev/full', 'w');
  const env = {
    ...gateEnv('http://127.0.0.1:9', port, folder.path),
    LOG_LEVEL: 'info',
    PATH: process.env.PATH,
  };
  const server = spawn(process.execPath, ['dist/main'], {
    cwd: join(__dirname, '..'),
    env: { ...env, DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' },
    stdio: ['ignore', full, 'inherit'],
  });
  const alive = () =>
    fetch(`http://127.0.0.1:${port}/health/live`).then(
      ({ ok }) => ok,
      () => false,
    );
  try {
    await until(alive, 20_000);
    for (let request = 0; request < 50; request++) await fetch(`http://127.0.0.1:${port}/nowhere`);
    expect(await alive()).toBe(true);
  } finally {
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
    closeSync(full);
    folder.remove();
  }
});
