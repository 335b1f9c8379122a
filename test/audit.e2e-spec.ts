/** The audit log and its commands: one complete chain, also after `kill -9` under load. */
import { randomInt } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startMailbox, type Mailbox } from '../demo/mailbox.js';
import { digestOf } from '../src/lib/canonical-json.js';
import {
  freePort,
  Gate,
  gateEnv,
  MODERN,
  PEOPLE,
  readAuditLog,
  temporaryFolder,
  type AuditLogLine,
} from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { until } from './support/remote.js';
import { ProbeModule } from './support/probe.tools.js';
import { runProgramSync, startProgram, startServer, type ServerProcess } from './support/server-process.js';

const ROOT = join(__dirname, '..');
const NO_DATABASE = 'postgres://nobody@127.0.0.1:9/none';

function audit(args: readonly string[], env: Record<string, string> = {}) {
  const { code, out, err } = runProgramSync('cli/mcp-gate.js', { args: ['audit', ...args], env, cwd: '/' });
  return { status: code, stdout: out, stderr: err };
}

describe('audit log and audit commands', () => {
  const folder = temporaryFolder();
  const env = { DATA_DIR: folder.path };
  let issuer: TestIssuer;
  let start: (more?: Record<string, string>) => Promise<Gate>;
  let jwks: string;
  let lines: AuditLogLine[];

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    start = (more) =>
      Gate.start({
        issuer,
        database: false,
        imports: [ProbeModule],
        env: { ...env, ...more, AUDIT_ROTATE_MIB: '1', RATE_LIMIT_PER_MINUTE: '0' },
      });
    let gate = await start();
    const token = await gate.token({
      ...PEOPLE.alice,
      scope: 'probe database.read',
      act: { sub: 'planner', act: { sub: 'assistant' } },
    });
    await gate.callTool(token, 'echo', { text: 'hello' });
    await gate.callTool(token, 'admin_only');
    await gate.modern(token, 'tools/list');
    await gate.callTool('bad', 'echo');
    await gate.waitForAuditLog(({ event }) => event === 'outcome');
    jwks = (await gate.get('/.well-known/audit-keys')).text;
    await gate.close();
    gate = await start({ AUTH_MAX_TOKEN_LIFETIME_SECONDS: '600' });
    await gate.close();
    lines = readAuditLog(join(folder.path, 'audit.jsonl'));
  });
  afterAll(async () => {
    await issuer.stop();
    folder.remove();
  });

  it('keeps one chain across a restart and records the changed settings', () => {
    expect(lines.map(({ event, checkpoint, change }) => checkpoint?.kind ?? change?.what ?? event)).toEqual([
      'open',
      'start',
      'decision',
      'outcome',
      'decision',
      'list',
      'authentication',
      'close',
      'start',
      'close',
    ]);
    expect(new Set(lines.map(({ instance }) => instance as string)).size).toBe(1);
    const starts = lines.flatMap(({ change }) => (change ? [change.changed as unknown] : []));
    // The restarted gateway has another port, so the derived settings change too.
    expect(starts).toEqual([null, ['allowed_origins', 'identity_sha256', 'resource']]);
  });

  it('verify reports an intact log with the key that the server publishes', () => {
    const key = join(folder.path, 'audit-keys.json');
    writeFileSync(key, jwks);
    const own = audit(['verify', '--key', key], env);
    expect(own).toMatchObject({ status: 0, stderr: '' });
    expect(own.stdout).toContain('INTACT');
    expect(own.stdout).not.toContain('with the keys that the audit log itself names');
    const last = lines.at(-1) as AuditLogLine;
    expect(audit(['verify', '--expect', `${last.seq}:${last.hash}`], env).status).toBe(0);
    expect(audit(['verify', '--expect', `${last.seq + 1}:${last.hash}`], env)).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('truncated') as string,
    });
  });

  it('verify names the changed record', () => {
    const changed = join(folder.path, 'changed.jsonl');
    const text = readFileSync(join(folder.path, 'audit.jsonl'), 'utf8');
    writeFileSync(changed, text.replace('"role_missing"', '"scope_missing"'));
    const { status, stdout } = audit(['verify', '--json', changed]);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ fault: { kind: 'changed', seq: 5, line: 5 } });
  });

  it('query filters by person, agent, decision, event, reason and time', () => {
    const count = (...args: string[]) =>
      audit(['query', '--json', ...args], env).stdout.split('\n').length - 1;
    expect(count('--person', 'alice')).toBe(4);
    expect(count('--person', 'alice', '--decision', 'deny')).toBe(1);
    expect(count('--agent', 'planner', '--event', 'outcome')).toBe(1);
    expect(count('--reason', 'token_malformed')).toBe(1);
    expect(count('--since', '1h')).toBe(10);
    expect(count('--until', '2026-01-01')).toBe(0);
  });

  it('query shows the newest records up to the limit and reports that more exist', () => {
    const all = audit(['query', '--json'], env).stdout.trim().split('\n');
    const { status, stdout, stderr } = audit(['query', '--json', '--limit', '2'], env);
    expect([status, stderr]).toEqual([0, 'Only the newest 2 records are shown; --limit 0 shows all.\n']);
    expect(stdout.trim().split('\n')).toEqual(all.slice(-2));
    expect(audit(['query', '--json', '--limit', '0'], env).stdout.trim().split('\n')).toEqual(all);
  });

  it.each<[string[], string]>([
    [
      ['--person', 'alcie'],
      'No record matches. The person "alcie" is not in the audit log. Similar names in the audit log: "alice".\n',
    ],
    [
      ['--person', 'nobody-at-all'],
      'No record matches. The person "nobody-at-all" is not in the audit log.\n',
    ],
    [
      ['--tool', 'ecko'],
      'No record matches. The tool "ecko" is not in the audit log. Similar names in the audit log: "echo".\n',
    ],
    [['--person', 'alice', '--since', '2025-01-01', '--until', '2026-01-01'], 'No record matches.\n'],
  ])('query %j without a match exits with 1 and explains the reason', (args, says) => {
    expect(audit(['query', ...args], env)).toEqual({ status: 1, stdout: '', stderr: says });
    expect(audit(['report', ...args], env)).toMatchObject({ status: 0, stderr: says });
  });

  it('query --since 7 is a usage error that lists the accepted forms', () => {
    const { status, stdout, stderr } = audit(['query', '--since', '7'], env);
    expect([status, stdout, stderr.split('\n').length]).toEqual([2, '', 3]);
    expect(stderr).toMatch(
      /^--since: "7" is not a valid time\. Use one of these forms: 7d .*\nHelp: mcp-gate audit query --help\n$/,
    );
  });

  it('query --follow prints the newest records and then each new record', async () => {
    const copy = join(folder.path, 'followed.jsonl');
    const text = readFileSync(join(folder.path, 'audit.jsonl'), 'utf8');
    const all = text.trim().split('\n');
    writeFileSync(copy, `${all.slice(0, 6).join('\n')}\n`);
    const program = startProgram('cli/mcp-gate.js', {
      args: ['audit', 'query', '--follow', '--limit', '2', '--json', copy],
    });
    await until(async () => program.out.split('\n').length === 3, 20_000);
    appendFileSync(copy, `${all[6]}\n`);
    await until(async () => program.out.split('\n').length === 4, 20_000);
    expect(program.out.trim().split('\n')).toEqual(all.slice(4, 7));
    await program.stop();
  }, 60_000);

  it('chain prints the delegation chain for the id of a decision', () => {
    const [decision, outcome] = [lines[2] as AuditLogLine, lines[3] as AuditLogLine];
    const tree = audit(['chain', decision.id as string], env);
    expect(tree.status).toBe(0);
    expect(
      tree.stdout
        .split('\n')
        .slice(0, 4)
        .map((line) => line.trim()),
    ).toEqual([
      `alice (human) of ${issuer.url}`,
      '└─ assistant (agent)',
      '└─ planner (agent)',
      '└─ agent (client)',
    ]);
    expect(audit(['chain', outcome.id as string], env).stdout).toBe(tree.stdout);
    expect(audit(['chain', 'nothing'], env).status).toBe(1);
  });

  it('report writes text, JSON and HTML', () => {
    const summary = JSON.parse(audit(['report', '--json'], env).stdout) as object;
    expect(summary).toMatchObject({
      counts: { allowed: 1, denied: 2, lists: 1, unauthenticated: 1 },
      unusedGrants: [{ person: 'alice', scopes: ['database.read'], roles: ['developer'] }],
    });
    expect(audit(['report'], env).stdout).toContain('Unused grants');
    expect(audit(['report', '--format', 'html'], env).stdout).toMatch(/^<!doctype html>/);
  });

  it('reports a usage error and a missing file in one sentence', () => {
    expect(audit(['verify', '/nowhere'])).toMatchObject({
      status: 3,
      stderr: '/nowhere cannot be read (ENOENT).\n',
    });
    expect(audit(['verify', join(ROOT, 'package.json')])).toMatchObject({ status: 3 });
    expect(audit(['verify'], { DATA_DIR: '/nowhere' }).stderr).toContain(
      'No audit log at /nowhere/audit.jsonl',
    );
    expect(audit(['nonsense']).status).toBe(2);
  });
});

it('writes no personal identifier with AUDIT_PSEUDONYM_KEY_FILE', async () => {
  const folder = temporaryFolder();
  const key = join(folder.path, 'pseudonym.key');
  writeFileSync(key, 'k'.repeat(40));
  const gate = await Gate.start({
    database: false,
    imports: [ProbeModule],
    env: { AUDIT_PSEUDONYM_KEY_FILE: key },
  });
  const token = await gate.token({ sub: 'somebody@example.com', scope: 'probe', jti: 'the-id-of-the-token' });
  await gate.callTool(token, 'echo', { text: 'hello' });
  await gate.callTool(token, 'admin_only');
  await gate.waitForAuditLog(({ event }) => event === 'outcome');
  const text = readFileSync(gate.app.settings.audit.file, 'utf8');
  expect(text).not.toMatch(/somebody|the-id-of-the-token/);
  const people = new Set(gate.auditLog().map(({ on_behalf_of: person }) => person as string));
  expect([...people]).toEqual([expect.stringMatching(/^p:[\w-]{32}$/)]);
  const asked = (person: string) =>
    audit([
      'query',
      '--json',
      '--person',
      person,
      '--pseudonym-key',
      key,
      '--issuer',
      gate.issuer.url,
      gate.app.settings.audit.file,
    ]).stdout.split('\n').length - 1;
  expect([asked('somebody@example.com'), asked('somebody-else@example.com')]).toEqual([3, 0]);
  await gate.close();
  folder.remove();
});

describe('audit log after kill -9 under load', () => {
  const folder = temporaryFolder();
  let issuer: TestIssuer;
  let mailbox: Mailbox;
  let calls = 0;

  beforeAll(async () => {
    [issuer, mailbox] = await Promise.all([TestIssuer.start(), startMailbox()]);
  });
  afterAll(async () => {
    await Promise.all([issuer.stop(), mailbox.close()]);
    folder.remove();
  });

  const mailOf = (to: string) => ({ to, subject: 'Hello', body: 'Hi' });

  async function start(): Promise<ServerProcess> {
    const env = {
      ...gateEnv(issuer.url, await freePort(), folder.path),
      DATABASE_URL: NO_DATABASE,
      REVOCATION_MAX_AGE_SECONDS: '0',
      SMTP_URL: mailbox.url,
      AUDIT_ROTATE_MIB: '1',
      RATE_LIMIT_PER_MINUTE: '0',
    };
    return startServer(env, { cwd: folder.path });
  }

  async function callUntilDead(url: string): Promise<void> {
    const token = await issuer.mint(`${url}/mcp`, { scope: 'email.send' });
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': MODERN,
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    for (;;) {
      const to = `call-${++calls}@example.com`;
      const params = { name: 'send_email', arguments: mailOf(to), _meta };
      try {
        const response = await fetch(`${url}/mcp`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            'mcp-protocol-version': MODERN,
            'mcp-method': 'tools/call',
            'mcp-name': 'send_email',
          },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
        });
        await response.text();
      } catch {
        return;
      }
    }
  }

  it('holds a record for every sent mail, an intact chain, and an outcome for each interrupted call', async () => {
    const allowed = new Set<unknown>();
    let interrupted = 0;
    for (let run = 0; run < 5; run++) {
      const server = await start();
      const before = mailbox.recipients.length;
      const clients = Array.from({ length: 16 }, () => callUntilDead(server.origin));
      // Waits for a number of mails, because a fixed time would be too short on a busy machine.
      await until(() => mailbox.recipients.length >= before + 16, 30_000);
      await pause(randomInt(500));
      await server.stop('SIGKILL');
      await Promise.all(clients);
    }
    // The last run stops in order and records the outcomes that the killed run left open.
    const server = await start();
    await server.stop();

    const verdict = audit(['verify', '--json'], { DATA_DIR: folder.path });
    expect(JSON.parse(verdict.stdout)).toMatchObject({ fault: null, notes: [] });
    const records = audit(['query', '--json', '--limit', '0'], { DATA_DIR: folder.path })
      .stdout.trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditLogLine);
    const ended = new Set(records.map(({ decision_id: of }) => of as string | null));
    for (const { event, decision, id, arguments_sha256: digest, outcome } of records) {
      if (event === 'decision' && decision === 'allow') {
        allowed.add(digest);
        expect(ended.has(id as string)).toBe(true);
      }
      if (outcome?.status === 'interrupted') interrupted += 1;
    }
    expect(mailbox.recipients.length).toBeGreaterThan(50);
    const unrecorded = mailbox.recipients.filter((to) => !allowed.has(digestOf(mailOf(to))));
    expect(unrecorded).toEqual([]);
    expect(interrupted).toBeGreaterThan(0);
  }, 240_000);
});
