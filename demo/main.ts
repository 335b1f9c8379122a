/**
 * `npm run demo`: three agents call the gateway for three users; prints the decisions and compares the audit log.
 */
import { connectAgent } from './agents.js';
import { HELP, readCommandLine, type Command } from './command-line.js';
import { decisionOf, drawDelegation, missingRecords, waitForRecords } from './audit-log.js';
import { exchangeToken, logIn, registerAgent, registerApp } from './oauth.js';
import { TOOL_SCOPES } from './people.js';
import { ROLES, runRole, type Role, type AttemptResult } from './scenario.js';
import { Cleanup, findStage, setOwnStage, type Stage } from './stage.js';
import { keptInstructions } from './keep.js';
import { table } from './table.js';

/** All scopes; the issuer grants each user's share. */
const SCOPE = ['openid', ...TOOL_SCOPES].join(' ');
/** The call whose delegation is drawn: the one with the longest chain. */
const DRAWN = { person: 'bob', tool: 'delete_customer' };

async function main(): Promise<number> {
  const command = readCommandLine(process.argv.slice(2));
  if (command.kind === 'help') {
    console.log(HELP);
    return 0;
  }
  if (command.kind === 'wrong') {
    console.error(`${command.message}\n\n${HELP}`);
    return 2;
  }
  const cleanup = new Cleanup();
  try {
    const run: Run = { isKept: false, isStopping: false };
    return await Promise.race([play(command, cleanup, run), interruption(run)]);
  } catch (error) {
    console.error(`\nThe demo failed: ${messageOf(error)}`);
    return 1;
  } finally {
    await cleanup.run();
  }
}

/** State for the signal handlers. */
interface Run {
  /** True after the agents, while the issuer and the server keep running: a signal is then the regular end. */
  isKept: boolean;
  isStopping: boolean;
}

async function play(
  command: Extract<Command, { kind: 'own' | 'external' }>,
  cleanup: Cleanup,
  run: Run,
): Promise<number> {
  if (command.kind === 'own') console.log('Starting issuer, mail server and MCP server …');
  const stage =
    command.kind === 'own'
      ? await setOwnStage(cleanup, command.kept)
      : await findStage(command.server, command.issuer, command.auditLog);
  console.log(`MCP server ${stage.resource}\nIssuer     ${stage.issuer.issuer} (demo)\n`);
  const results: AttemptResult[] = [];
  for (const role of ROLES) results.push(...(await perform(role, stage)));
  console.log(`${drawAttempts(results)}\n`);
  const faults = [
    ...results.flatMap(({ role, shown, difference }) =>
      difference === undefined ? [] : [`${role.person}, ${shown}: expected ${difference}`],
    ),
    ...checkMail(stage, results),
    ...(await checkAuditLog(stage, results)),
  ];
  if (faults.length === 0) {
    console.log('Everything was as expected.');
    return command.kind === 'own' && command.kept ? keepRunning(stage, run) : 0;
  }
  console.log(`Not as expected:\n${faults.map((fault) => `  ✗ ${fault}`).join('\n')}`);
  if (stage.own) console.log(`\nThe server. ${stage.own.server.lastWords()}`);
  return 1;
}

/** Ends by a signal, or with code 1 when the server ends. */
async function keepRunning(stage: Stage, run: Run): Promise<number> {
  run.isKept = true;
  console.log(`\n${keptInstructions(stage)}`);
  await stage.own?.server.ended;
  if (run.isStopping) return 0;
  console.error(`\nThe server ended. ${stage.own?.server.lastWords()}`);
  return 1;
}

/**
 * The user logs in to an app. Each agent in turn exchanges the received token for its own, and the last agent calls.
 */
async function perform(role: Role, stage: Stage): Promise<AttemptResult[]> {
  const { issuer, resource } = stage;
  const app = await registerApp(issuer, 'demo-app');
  let token = await logIn(issuer, app, { person: role.person, scope: SCOPE, resource });
  let clientId = app.client_id;
  for (const name of role.agents) {
    const agent = await registerAgent(issuer, name);
    token = await exchangeToken(issuer, agent, token, resource);
    clientId = agent.client_id;
  }
  const agent = await connectAgent(role.sdk, clientId, resource, token);
  try {
    return await runRole(role, agent, clientId, stage.own === undefined);
  } finally {
    await agent.close();
  }
}

function drawAttempts(results: readonly AttemptResult[]): string {
  const rows = results.map(({ role, tool, shown, answer, told, difference }) => [
    tool === undefined ? `${role.person} (${role.title})` : '',
    tool === undefined ? `${role.agents.at(-1)}, SDK ${role.sdk}` : '',
    shown,
    String(answer.http),
    told,
    difference === undefined ? '✓' : `✗ expected ${difference}`,
  ]);
  return table(['for', 'agent', 'tried', 'HTTP', 'result', ''], rows);
}

function checkMail({ own }: Stage, results: readonly AttemptResult[]): string[] {
  if (!own) return [];
  const sent = results.filter(({ tool, answer }) => tool === 'send_email' && answer.http === 200).length;
  const arrived = own.mailbox.recipients.length;
  console.log(`E-mails that arrived at the mail server: ${arrived}\n`);
  return sent === arrived ? [] : [`${sent} e-mails were sent, ${arrived} arrived`];
}

async function checkAuditLog({ auditLog }: Stage, results: readonly AttemptResult[]): Promise<string[]> {
  if (auditLog === undefined) {
    console.log(
      'The demo did not read the audit log of this server; --audit-log FILE compares it with the table.\n',
    );
    return [];
  }
  const records = await waitForRecords(auditLog, results);
  const drawn = results.find(({ role, tool }) => role.person === DRAWN.person && tool === DRAWN.tool);
  const record = drawn && decisionOf(records, drawn);
  if (record) {
    console.log(`Delegation chain of decision ${record.id} in the audit log:\n${drawDelegation(record)}\n`);
  }
  const faults = missingRecords(records, results);
  console.log(
    `The audit log has ${results.length - faults.length} of the ${results.length} rows of the table.\n`,
  );
  return faults.map((fault) => `audit log: ${fault}`);
}

function interruption(run: Run): Promise<number> {
  return new Promise((resolve) => {
    const end = (code: number) => {
      run.isStopping = true;
      resolve(run.isKept ? 0 : code);
    };
    // The handlers stay registered: a second Ctrl+C must not end the demo before the server is stopped.
    process.on('SIGINT', () => end(130));
    process.on('SIGTERM', () => end(143));
    process.on('SIGHUP', () => end(129));
  });
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}

void main().then((code) => process.exit(code));
