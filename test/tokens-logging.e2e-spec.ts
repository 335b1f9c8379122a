/** Tokens and arguments never reach a log, a record or a response. */
import { type Options, transformFileSync } from '@swc/core';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { forge } from './cases/forge.js';
import {
  FORM,
  IDENTITY,
  ISSUER_AND_AUDIENCE,
  SIGNATURE,
  TIMES,
  TYPE,
  usualClaims,
  usualHeader,
  type World,
} from './cases/bad-tokens.js';
import { answerOf, freePort, gateEnv, temporaryFolder } from './support/gate.js';
import { makeKey, TestIssuer } from './support/issuer.js';
import { until } from './support/remote.js';
import { type ServerProcess, startServer } from './support/server-process.js';

let issuer: TestIssuer;
let attacker: TestIssuer;
let world: World;

beforeAll(async () => {
  [issuer, attacker] = await Promise.all([TestIssuer.start(), TestIssuer.start()]);
  const key = issuer.key;
  const rsa = await makeKey('key-rsa', 'RS256');
  issuer.keys.push(rsa);
  world = { issuer, attacker, key, rsa, resource: 'http://127.0.0.1/mcp' };
});
afterAll(async () => {
  await Promise.all([issuer.stop(), attacker.stop()]);
});

describe('server log at LOG_LEVEL=trace', () => {
  const root = join(__dirname, '..');
  const built = join(root, 'node_modules', '.cache', `hostile-session-${process.pid}`);
  const ARGUMENT = 'argument-that-nobody-may-repeat';
  const folder = temporaryFolder();
  let server: ServerProcess;
  let origin: string;

  /** Compiles the production code and the probe tools to JavaScript for a separate process. */
  function build(): void {
    const { transform } = require('./jest.shared.cjs') as { transform: Record<string, [string, Options]> };
    const options = Object.values(transform)[0]?.[1] as Options;
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
      .map((file) => join(root, 'src', file));
    for (const file of [...sources, join(root, 'test', 'support', 'probe.tools.ts')]) {
      const target = join(built, relative(root, file).replace(/ts$/, 'js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, transformFileSync(file, { ...options, sourceMaps: false }).code);
    }
    writeFileSync(
      join(built, 'main.js'),
      `const { createApp } = require('./src/create-app.js');
       const { ProbeModule } = require('./test/support/probe.tools.js');
       createApp(process.env, { imports: [ProbeModule] }).then((app) => app.listen());`,
    );
  }

  beforeAll(async () => {
    build();
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    server = await startServer(
      { ...gateEnv(issuer.url, port, folder.path), LOG_LEVEL: 'trace' },
      { program: join(built, 'main.js'), check: 'ready' },
    );
  });
  afterAll(async () => {
    await server.stop();
    folder.remove();
    rmSync(built, { recursive: true, force: true });
  });

  it('names the request of each rejection, on the fast path and in the Nest pipeline', async () => {
    const ask = (method: string) =>
      fetch(`${origin}/mcp`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: 'Bearer nonsense',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method }),
      });
    const before = server.output.length;
    const both = [await ask('tools/list'), await ask('prompts/list')];
    await until(async () => server.output.slice(before).split('"request.denied"').length === 3);
    const lines = server.output
      .slice(before)
      .split('\n')
      .filter((line) => line.includes('"request.denied"'));
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject(
      both.map(({ headers }) => ({
        requestId: headers.get('x-request-id'),
        req: { id: headers.get('x-request-id'), method: 'POST', path: '/mcp', ip: '127.0.0.1' },
      })),
    );
    // A JSON parser keeps only the last member of a name, so duplicates must not occur.
    for (const line of lines) expect(line.split('"req":')).toHaveLength(2);
  });

  it('contains no token, no part of a token and no argument, and neither do records and responses', async () => {
    const theirs = { ...world, resource: `${origin}/mcp` };
    const every = [FORM, SIGNATURE, TYPE, ISSUER_AND_AUDIENCE, TIMES, IDENTITY].flat();
    const tokens = every.map(({ token }) => token(theirs));
    const valid = forge({ header: usualHeader(theirs), claims: usualClaims(theirs) }, world.key);
    const answers: string[] = [];

    const send = async (
      authorization: string,
      message: object,
      query = '',
      headers: Record<string, string> = {},
    ) => {
      const answer = await answerOf(
        await fetch(`${origin}/mcp${query}`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...(authorization && { authorization }),
            ...headers,
          },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
        }),
      );
      answers.push(JSON.stringify([...answer.headers]) + answer.text);
      return answer;
    };
    const call = (name: string, args: object) => ({
      method: 'tools/call',
      params: { name, arguments: args },
    });
    const secret = { text: ARGUMENT, [ARGUMENT]: { [ARGUMENT]: [ARGUMENT] } };

    // Sent concurrently, because each unknown kid causes a wait.
    await Promise.all(tokens.map((token) => send(`Bearer ${token}`, call('fail', { text: ARGUMENT }))));
    await send(`Basic ${valid}`, call('echo', secret));
    await send(`Bearer ${valid} ${valid}`, call('echo', secret));
    await send('', call('echo', secret), `?access_token=${valid}`);
    await send(`Bearer ${valid}`, call('echo', secret), `?access_token=${valid}&text=${ARGUMENT}`);
    await send('', call('echo', secret), '', { cookie: `access_token=${valid}`, 'x-access-token': valid });
    await send(`Bearer ${valid}`, call('admin_only', secret));
    await send(`Bearer ${valid}`, call('unknown', secret));
    await send(`Bearer ${valid}`, call('echo', { text: { hidden: ARGUMENT }, times: ARGUMENT }));
    await send(`Bearer ${valid}`, { ...call('echo', secret), method: 'initialize' });
    await send(`Bearer ${valid}`, {
      method: 'prompts/get',
      params: { name: 'greet', arguments: { name: [ARGUMENT] } },
    });
    await send(`Bearer ${valid}`, {
      method: 'completion/complete',
      params: {
        ref: { type: 'ref/prompt', name: 'greet' },
        argument: { name: 'name', value: { a: ARGUMENT } },
      },
    });
    await send(`Bearer ${valid}`, call('echo', { __proto__: null, ['constructor']: ARGUMENT }));
    await fetch(`${origin}/mcp`, {
      method: 'POST',
      headers: { authorization: `Bearer ${valid}`, 'content-type': 'application/json' },
      body: `{"text":"${ARGUMENT}"`,
    });
    await fetch(`${origin}/elsewhere?access_token=${valid}`, {
      headers: { authorization: `Bearer ${valid}` },
    });
    expect((await send(`Bearer ${valid}`, call('break_promise', {}))).body.result.isError).toBe(true);
    const refused = [...answers];
    // Only the tool itself may return the argument.
    expect((await send(`Bearer ${valid}`, call('echo', { text: ARGUMENT }))).text).toContain(ARGUMENT);
    await new Promise((resolve) => setTimeout(resolve, 500));

    const { output } = server;
    const auditLog = readFileSync(join(folder.path, 'audit.jsonl'), 'utf8');
    expect(auditLog.split('\n').length).toBeGreaterThan(tokens.length);
    expect(output.includes('request.denied') && output.includes('tool.failed')).toBe(true);

    const places = { logs: output, auditLog, answers: refused.join('\n') };
    for (const [place, text] of Object.entries(places)) {
      expect({ place, holdsAnArgument: text.includes(ARGUMENT) }).toEqual({ place, holdsAnArgument: false });
      expect({ place, parts: partsOf([valid, ...tokens], text) }).toEqual({ place, parts: [] });
    }
    // A response contains no text of an exception.
    expect(places.answers).not.toMatch(/hunter2|secret-output|\n\s+at /);
    expect(auditLog).not.toMatch(/hunter2|secret-output/);
  });

  /** Pieces of 21 characters that a text shares with a token, without uniform ones (`aaaa…`). */
  function partsOf(tokens: readonly string[], text: string): string[] {
    const size = 21;
    const pieces = new Set<string>();
    for (const token of tokens) {
      for (let at = 0; at + size <= token.length; at++) pieces.add(token.slice(at, at + size));
    }
    const found: string[] = [];
    for (let at = 0; at + size <= text.length; at++) {
      const piece = text.slice(at, at + size);
      if (pieces.has(piece) && new Set(piece).size > 3) found.push(piece);
    }
    return found.slice(0, 3);
  }
});
