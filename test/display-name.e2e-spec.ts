/** Display name of a user (`display_claim`): present in records and commands, not used for decisions. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gate, temporaryFolder, type AuditLogLine } from './support/gate.js';
import { TestIssuer } from './support/issuer.js';
import { ProbeModule } from './support/probe.tools.js';
import { runProgramSync } from './support/server-process.js';

const AUDIENCE = 'https://gate.example.com/mcp';
const SUBJECT = '248289761001';

const folder = temporaryFolder();
let issuer: TestIssuer;
let named: Gate;
let pseudonymous: Gate;

beforeAll(async () => {
  issuer = await TestIssuer.start();
  writeFileSync(join(folder.path, 'key'), 'k'.repeat(40));
  const start = (env: Record<string, string>) =>
    Gate.start({
      issuer,
      imports: [ProbeModule],
      database: false,
      env,
      identity: {
        issuers: [{ issuer: issuer.url, audience: AUDIENCE, display_claim: 'preferred_username' }],
      },
    });
  [named, pseudonymous] = await Promise.all([
    start({}),
    start({ AUDIT_PSEUDONYM_KEY_FILE: join(folder.path, 'key') }),
  ]);
});
afterAll(async () => {
  await Promise.all([named.close(), pseudonymous.close()]);
  await issuer.stop();
  folder.remove();
});

const tokenOf = (preferred_username: unknown, more: object = {}) =>
  issuer.mint(AUDIENCE, { sub: SUBJECT, scope: 'probe', preferred_username, ...more });

async function recordsOf(gate: Gate, token: string): Promise<AuditLogLine[]> {
  await gate.callTool(token, 'echo', { text: 'hello' });
  const decision = gate.auditLog().findLast(({ event }) => event === 'decision') as AuditLogLine;
  const ended = await gate.waitForAuditLog(({ decision_id: id }) => id === decision.id);
  return [decision, ended.find(({ decision_id: id }) => id === decision.id) as AuditLogLine];
}

it('appears beside the subject in decision and outcome records', async () => {
  const records = await recordsOf(named, await tokenOf('alice.smith'));
  expect(records.map(({ event }) => event)).toEqual(['decision', 'outcome']);
  for (const { principal, on_behalf_of: person } of records) {
    expect(principal).toMatchObject({ sub: SUBJECT, display_name: 'alice.smith' });
    expect(person).toBe(SUBJECT);
  }
});

it('appears beside the subject in the record of a denial', async () => {
  await named.callTool(await tokenOf('alice.smith', { scope: '' }), 'echo', { text: 'hello' });
  expect(named.auditLog().at(-1)).toMatchObject({
    decision: 'deny',
    reason: 'scope_missing',
    principal: { sub: SUBJECT, display_name: 'alice.smith' },
  });
});

it.each([[undefined], [null], [7], [['alice.smith']], ['\u202E'], ['']])(
  'is omitted from the record of an allowed call when the claim is %j',
  async (claim) => {
    const [decision] = await recordsOf(named, await tokenOf(claim));
    expect(decision).toMatchObject({ decision: 'allow', principal: { sub: SUBJECT } });
    expect(decision?.principal).not.toHaveProperty('display_name');
  },
);

it('is shortened to one line without control characters', async () => {
  const [decision] = await recordsOf(named, await tokenOf(`a\r\n\u202Eb${'x'.repeat(1_000)}`));
  expect(decision?.principal.display_name).toMatch(/^abx{125}…$/);
});

it('is printed after the subject by the audit commands, and the log still verifies', async () => {
  const [decision] = await recordsOf(named, await tokenOf('alice.smith'));
  const audit = (...args: string[]) =>
    runProgramSync('cli/mcp-gate.js', {
      args: ['audit', ...args],
      env: { AUDIT_FILE: named.app.settings.audit.file },
    }).out;
  expect(audit('query', '--person', SUBJECT)).toContain(`${SUBJECT} <alice.smith> via agent`);
  expect(audit('chain', decision?.id as string)).toContain(`${SUBJECT} <alice.smith> (human)`);
  expect(audit('report', '--format', 'text')).toContain(`${SUBJECT} <alice.smith>`);
  expect(audit('verify')).toContain('INTACT');
});

it('is omitted when the log uses pseudonyms', async () => {
  const records = await recordsOf(pseudonymous, await tokenOf('alice.smith'));
  expect(records).toHaveLength(2);
  expect(JSON.stringify(pseudonymous.auditLog())).not.toMatch(/alice\.smith|display_name|248289761001/);
});
