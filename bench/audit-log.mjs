/**
 * Cost of a durable record and speed of the audit log: records per second and wait per record at concurrency 1, 16
 * and 64, on disk and in memory (the same code without fsync cost). Also measures calls of the server, and time and
 * memory of verification, queries and the report. `npm run build && node bench/audit-log.mjs [--records 1000000]
 * [--folder DIR]`. Default: 200,000 records. Times depend on the machine: compare the ratios.
 */
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { callTable } from './calls.mjs';
import { line, underLoad } from './measure.mjs';

const require = createRequire(import.meta.url);
const { AuditLog } = require('../dist/audit/audit-log.js');
const { appendToChain } = require('../dist/audit/append-to-chain.js');
const { changeRecord } = require('../dist/audit/record.js');
const { signingKeyOf } = require('../dist/audit/signing-key.js');

const { values } = parseArgs({
  options: { records: { type: 'string', default: '200000' }, folder: { type: 'string', default: tmpdir() } },
});
const COUNT = Number(values.records);
const MEASURE_MS = 3_000;
const CONCURRENCY = [1, 16, 64];
/** The memory file system shows the cost without durability. */
const PLACES = [['disk', values.folder], ...(existsSync('/dev/shm') ? [['memory', '/dev/shm']] : [])];
const PEM = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
const key = signingKeyOf(PEM, 'bench');

const { change: _change, ...blank } = changeRecord({ what: 'key', from: '', to: '' }, '');
const PEOPLE = 500;
const TOOLS = ['read_customer', 'update_customer', 'delete_customer', 'send_email'];

/** A record of a call of the example tools. */
function decision(at) {
  const sub = `person-${at % PEOPLE}`;
  // 21 and the number of tools have no common factor, so every tool has denied calls.
  const denied = at % 21 === 0;
  return {
    ...blank,
    id: `00000000-0000-4000-8000-${String(at).padStart(12, '0')}`,
    event: 'decision',
    decision: denied ? 'deny' : 'allow',
    reason: denied ? 'scope_missing' : null,
    rule: 'CustomerTools.readCustomer',
    request: {
      id: `10000000-0000-4000-8000-${String(at).padStart(12, '0')}`,
      trace_id: null,
      method: 'tools/call',
      ip: '10.0.0.7',
      client: 'assistant/1.4',
    },
    tool: TOOLS[at % TOOLS.length],
    arguments: { customer_id: String(at % 1000) },
    arguments_sha256: '0'.repeat(64),
    principal: {
      iss: 'https://login.example.com',
      sub,
      kind: 'human',
      client_id: 'assistant',
      tenant: null,
      scopes: ['database.read', 'email.send'],
      roles: ['developer'],
      acr: [],
      auth_time: null,
      token_id: `jti-${at}`,
    },
    on_behalf_of: sub,
    delegation: [
      { sub, iss: 'https://login.example.com', type: 'human' },
      { sub: 'assistant', iss: 'https://login.example.com', type: 'client' },
    ],
    required: { scopes: ['database.read'], roles: [], acr: [], max_age: null },
    missing: { scopes: denied ? ['database.read'] : [], roles: [], acr: [], max_age: null },
  };
}

async function appendRate(folder, concurrency) {
  const auditLog = await AuditLog.open({
    file: join(folder, 'audit.jsonl'),
    key: () => key,
    instance: 'bench',
    rotateBytes: 0,
    rotateDaily: false,
    now: () => new Date(),
    onCheckpoint: () => undefined,
    onError: console.error,
  });
  let at = 0;
  const measured = await underLoad(concurrency, MEASURE_MS, () => auditLog.append(decision(at++)).written);
  await auditLog.close();
  return measured;
}

async function appendTable() {
  console.log('concurrency  place    records/s  p50 ms  p99 ms');
  for (const concurrency of CONCURRENCY) {
    for (const [name, parent] of PLACES) {
      const folder = mkdtempSync(join(parent, 'bench-audit-log-'));
      const { rate, p50, p99 } = await appendRate(folder, concurrency);
      rmSync(folder, { recursive: true });
      console.log(line(concurrency, name, rate, p50, p99));
    }
  }
}

/**
 * Writes records as the server does, with a checkpoint after each 1,000 records. Each block advances the time by 1
 * s.
 */
function generate(file) {
  const handle = openSync(file, 'w');
  const from = Date.UTC(2026, 0, 1);
  const edge = { key_id: key.id, key: key.jwk, open: [] };
  let end = { seq: 0, hash: null };
  for (let at = 0; at < COUNT; at += 1000) {
    const records = Array.from({ length: Math.min(1000, COUNT - at) }, (_, index) => decision(at + index));
    const isLast = at + 1000 >= COUNT;
    const all = [
      ...(at === 0 ? [{ kind: 'open', ...edge }] : []),
      ...records,
      isLast ? { kind: 'close', ...edge } : { kind: 'interval', key_id: key.id },
    ];
    const placed = appendToChain(all, end, {
      instance: 'bench',
      key,
      time: new Date(from + at).toISOString(),
    });
    writeSync(handle, placed.text);
    end = placed.end;
  }
  closeSync(handle);
}

function ask(name, file, ...args) {
  const script = new URL('../dist/cli/mcp-gate.js', import.meta.url).pathname;
  const started = performance.now();
  const run = spawnSync(
    '/usr/bin/env',
    ['time', '-f', '%M', process.execPath, script, 'audit', ...args, file],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    },
  );
  const seconds = (performance.now() - started) / 1000;
  const memory = Number(run.stderr.trim().split('\n').at(-1)) / 1024;
  const lines = run.stdout.split('\n').length - 1;
  console.log(
    `${name.padEnd(44)}  ${seconds.toFixed(2).padStart(7)} s  ${Math.round(memory).toString().padStart(5)} MiB  ${lines} line(s)`,
  );
}

await appendTable();
await callTable(CONCURRENCY, PLACES);
const folder = mkdtempSync(join(values.folder, 'bench-audit-log-'));
try {
  const file = join(folder, 'audit.jsonl');
  generate(file);
  console.log(`\n${COUNT} records, ${(statSync(file).size / 2 ** 30).toFixed(2)} GiB`);
  ask('verify', file, 'verify');
  ask('query --person (1 in 500)', file, 'query', '--json', '--limit', '0', '--person', 'person-7');
  ask('query --id', file, 'query', '--json', '--id', decision(COUNT - 2).id);
  ask(
    'query --decision deny --tool',
    file,
    'query',
    '--json',
    '--limit',
    '0',
    '--decision',
    'deny',
    '--tool',
    'delete_customer',
  );
  ask(
    'query --since (the last 1,000)',
    file,
    'query',
    '--json',
    '--limit',
    '0',
    '--since',
    new Date(Date.UTC(2026, 0, 1) + COUNT - 1000).toISOString(),
  );
  ask('report over all', file, 'report', '--since', '2025-01-01', '--json');
} finally {
  rmSync(folder, { recursive: true });
}
