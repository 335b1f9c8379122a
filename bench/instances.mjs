/**
 * Two production instances behind nginx with their own PostgreSQL, under load. Scenarios: kill, replacement,
 * database crash, revocation, key and certificate rotation, exhausted quotas. Needs nginx and the PostgreSQL
 * programs (`pg_config`, `initdb`). `npm run bench:instances`; takes about two minutes. Exits with 1 if a guarantee
 * is broken. Times depend on the machine; the guarantees do not.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import { makeKey, startIssuer } from './issuer.mjs';
import { freePort, instance, startAuthority, startMailServer, startNginx, startPostgres } from './stage.mjs';

const WORKERS = 16;
const PEOPLE = 20;
const QUOTA = 300;
const MAIL = { name: 'send_email', arguments: { to: 'a@example.org', subject: 'Hello', body: 'Hello' } };
const READ = { name: 'read_customer', arguments: { customer_id: '123' } };

const folder = mkdtempSync(join(tmpdir(), 'bench-instances-'));
const broken = [];
const mailed = { ok: 0, failed: 0 };
const promise = (kept, what) => {
  console.log(`  ${kept ? 'kept  ' : 'BROKEN'} ${what}`);
  if (!kept) broken.push(what);
};

const authority = await startAuthority(folder);
const certificates = { gate: await authority.issue('gate'), nginx: await authority.issue('nginx') };
const postgres = await startPostgres(folder);
const mails = await startMailServer();
const ports = [await freePort(), await freePort()];
const nginx = await startNginx(folder, ports, {
  certificate: certificates.nginx,
  caFile: authority.caFile,
});
const publicUrl = `https://127.0.0.1:${nginx.port}`;
let signing = await makeKey('key-1', 'ES256');
const issuer = await startIssuer([signing], `${publicUrl}/mcp`);

const policyDir = join(folder, 'policy');
mkdirSync(policyDir);
writeFileSync(
  join(policyDir, 'policy.yaml'),
  `rates: { reading: { per_day: ${QUOTA}, by: person } }\nrules: [{ id: quota, match: read_customer, rate: reading }]\n`,
);
const shared = {
  PATH: process.env.PATH,
  PUBLIC_URL: publicUrl,
  AUTH_ISSUER: issuer.url,
  TOOL_ALLOW_LIST: 'read_customer,send_email',
  DATABASE_URL: postgres.url,
  EXAMPLE_TOOLS: 'true',
  SMTP_URL: mails.url,
  POLICY_DIR: policyDir,
  // A high limit that is still counted with every request.
  RATE_LIMIT_PER_MINUTE: '1000000',
  TRUST_PROXY: '127.0.0.1/32',
  TLS_CERT_FILE: certificates.gate.cert,
  TLS_KEY_FILE: certificates.gate.key,
  LOG_LEVEL: 'silent',
};
const [first, second] = ports.map((port) =>
  instance({ ...shared, PORT: String(port), DATA_DIR: join(folder, `data-${port}`) }),
);
await Promise.all([first.start(), second.start()]);

const agent = new Agent({ keepAlive: true, ca: authority.ca, maxSockets: 64 });

/** One call through nginx: `ok`, `tool failed`, the reason of a denial, an HTTP status or an error code. */
async function call(token, params) {
  const started = performance.now();
  let outcome;
  try {
    const sent = request(`${publicUrl}/mcp`, {
      method: 'POST',
      agent,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
    }).end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
    const [response] = await once(sent, 'response');
    const text = Buffer.concat(await response.toArray()).toString();
    outcome = outcomeOf(response.statusCode, text);
  } catch (error) {
    outcome = error.code ?? error.message;
  }
  if (params === MAIL) mailed[outcome === 'ok' ? 'ok' : 'failed']++;
  return { started, ended: performance.now(), outcome };
}

function outcomeOf(status, text) {
  const data = text.split('\n').find((line) => line.startsWith('data: {'));
  try {
    const { result, error } = JSON.parse(data?.slice('data: '.length) ?? text);
    if (error) return error.data?.reason ?? `HTTP ${status}`;
    return result.isError ? 'tool failed' : 'ok';
  } catch {
    return `HTTP ${status}`;
  }
}

/** All users send e-mails repeatedly during the scenario; returns the result of every call. */
async function during(title, happens) {
  console.log(`\n${title}`);
  const calls = [];
  let running = true;
  const tokens = await tokensOfAll();
  const worker = async (at) => {
    for (let turn = at; running; turn++) calls.push(await call(tokens[turn % PEOPLE], MAIL));
  };
  const started = performance.now();
  const workers = Array.from({ length: WORKERS }, (_, at) => worker(at));
  await pause(2000);
  const noted = await happens({
    renew: async () => tokens.splice(0, PEOPLE, ...(await tokensOfAll())),
    calls,
  });
  await pause(2000);
  running = false;
  await Promise.all(workers);
  const failed = calls.filter(({ outcome }) => outcome !== 'ok');
  const rate = Math.round(calls.length / ((performance.now() - started) / 1000));
  const longest = Math.round(Math.max(...calls.map((one) => one.ended - one.started)));
  console.log(`  ${calls.length} calls, ${rate}/s, longest ${longest} ms;`, tally(failed));
  return { calls, failed, noted };
}

function tokensOfAll() {
  return Promise.all(
    Array.from({ length: PEOPLE }, (_, at) =>
      issuer.mint(signing, { sub: `person-${at}`, scope: 'email.send' }),
    ),
  );
}

function tally(calls) {
  const counts = {};
  for (const { outcome } of calls) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

/** Sends concurrent calls until the quota is exhausted, while `happens` runs. */
async function untilQuota(sub, happens = async () => undefined) {
  const token = await issuer.mint(signing, { sub, scope: 'database.read' });
  const calls = [];
  let over = 0;
  const worker = async () => {
    while (over < 3 * WORKERS && calls.length < 10 * QUOTA) {
      const one = await call(token, READ);
      calls.push(one);
      over = one.outcome === 'rate_limited' ? over + 1 : 0;
    }
  };
  await Promise.all([...Array.from({ length: WORKERS }, worker), happens()]);
  // During a database outage an accepted call ends with a tool failure.
  return calls.filter(({ outcome }) => outcome === 'ok' || outcome === 'tool failed').length;
}

async function served(port) {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

{
  const { failed } = await during('Nothing happens', async () => pause(1000));
  promise(failed.length === 0, 'no valid call failed');
}
{
  const { calls, failed, noted } = await during(
    'Kill of one of two instances (kill -9) and restart',
    async () => {
      const killed = performance.now();
      await second.end('SIGKILL');
      const gone = performance.now();
      await pause(3000);
      await second.start();
      return { killed, gone };
    },
  );
  const inFlight = calls.filter((one) => one.started <= noted.gone && one.ended >= noted.killed).length;
  const later = failed.filter((one) => one.started > noted.gone).length;
  console.log(
    `  ${inFlight} calls were in flight at both instances during the kill; ${later} of the failed calls began later`,
  );
  promise(failed.length <= inFlight && later === 0, 'no valid call failed except those in flight');
}
{
  const { failed, noted } = await during('Replacement of both instances in turn (SIGTERM)', async () => {
    const codes = [];
    for (const one of [first, second]) {
      codes.push(await one.end('SIGTERM'));
      await one.start();
      // As in a rollout (minReadySeconds): nginx retries an instance one second after a refused connection.
      await pause(2000);
    }
    return codes;
  });
  console.log(`  exit codes ${noted.join(', ')}`);
  promise(failed.length === 0 && noted.every((code) => code === 0), 'no valid call failed');
}
{
  const { failed } = await during('Database crash and recovery after two seconds', async () => {
    postgres.stop('immediate');
    await pause(2000);
    postgres.start();
    await pause(3000);
  });
  promise(failed.length === 0, 'no valid call failed');
}
{
  let calls = [];
  const { failed, noted } = await during('Revocation of a user', async () => {
    const token = await issuer.mint(signing, { sub: 'leaver', scope: 'email.send' });
    let running = true;
    const worker = async () => {
      while (running) calls.push(await call(token, MAIL));
    };
    const workers = Array.from({ length: 4 }, worker);
    await pause(1000);
    execFileSync(
      process.execPath,
      ['dist/cli/mcp-gate.js', 'revoke', 'subject', 'leaver', '--reason', 'left'],
      {
        env: shared,
      },
    );
    const at = performance.now();
    await pause(4000);
    running = false;
    await Promise.all(workers);
    return at;
  });
  const passed = calls.filter(({ outcome }) => outcome === 'ok');
  const last = Math.max(...passed.map((one) => one.started)) - noted;
  const refused = calls.filter(({ outcome }) => outcome === 'token_revoked').length;
  console.log(
    `  ${passed.length} calls before, ${refused} rejected; the last accepted call began ${Math.round(last)} ms after the command`,
  );
  promise(
    refused > 0 && passed.every((one) => one.started - noted < 1000),
    'no call was accepted after one second',
  );
  promise(failed.length === 0, 'no other user was rejected');
}
{
  const { failed } = await during(
    'Key rotation at the issuer: new key, old key withdrawn',
    async ({ renew }) => {
      const [old, next] = [signing, await makeKey('key-2', 'ES256')];
      issuer.keys = [old, next];
      signing = next;
      await renew();
      await pause(1000);
      issuer.keys = [next];
      await pause(2000);
    },
  );
  promise(failed.length === 0, 'no valid call failed');
}
{
  const before = await Promise.all(ports.map(served));
  const { failed, noted } = await during('Certificate renewal at both instances', async () => {
    await authority.issue('gate');
    await pause(3000);
    return Promise.all(ports.map(served));
  });
  promise(
    noted.every((serial, at) => serial !== before[at]),
    'both serve the new certificate',
  );
  promise(failed.length === 0, 'no valid call failed');
}
{
  const before = await served(nginx.port);
  const { failed, noted } = await during('Certificate renewal at nginx with a reload', async () => {
    await authority.issue('nginx');
    nginx.reload();
    await pause(3000);
    return served(nginx.port);
  });
  promise(noted !== before, 'nginx serves the new certificate');
  // nginx before 1.27.4 (keepalive_min_timeout) closes client connections at a reload, also with requests in flight.
  promise(
    failed.every(({ outcome }) => outcome === 'ECONNRESET'),
    'no valid call failed except on connections that nginx closed',
  );
}
{
  console.log(`\nA quota of ${QUOTA} a day`);
  const plain = await untilQuota('quota-1');
  promise(plain === QUOTA, `${plain} calls accepted by two instances`);
  const killed = await untilQuota('quota-2', async () => {
    await pause(100);
    await second.end('SIGKILL');
    await second.start();
  });
  promise(killed <= QUOTA, `${killed} calls accepted while one was killed`);
  const away = await untilQuota('quota-3', async () => {
    await pause(100);
    postgres.stop('immediate');
    await pause(2000);
    postgres.start();
  });
  promise(away <= 2 * QUOTA, `${away} calls accepted during a database outage (bound: ${2 * QUOTA})`);
}

agent.destroy();
await Promise.all([first.end('SIGTERM'), second.end('SIGTERM')]);
console.log('\nAfterwards');
for (const { folder: data } of [first, second]) {
  const output = execFileSync(process.execPath, ['dist/cli/mcp-gate.js', 'audit', 'verify', data], {
    env: shared,
  });
  console.log(output.toString());
}
promise(
  mails.received >= mailed.ok && mails.received <= mailed.ok + mailed.failed,
  `${mails.received} e-mails arrived for ${mailed.ok} successful and ${mailed.failed} failed calls`,
);
await nginx.stop();
await mails.stop();
postgres.stop('fast');
issuer.stop();
rmSync(folder, { recursive: true, force: true });
console.log(broken.length === 0 ? 'All guarantees were kept' : `${broken.length} guarantees were broken`);
process.exit(broken.length === 0 ? 0 : 1);
