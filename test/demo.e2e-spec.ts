/** Runs the built demo: its own issuer, the server and three agents. The demo checks its own results. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

it('prints the permissions of each person and their delegation chains', async () => {
  const child = spawn(process.execPath, [join(__dirname, '../dist-demo/main.js')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let shown = '';
  child.stdout.on('data', (chunk) => (shown += String(chunk)));
  child.stderr.on('data', (chunk) => (shown += String(chunk)));
  const code = await new Promise((resolve) => child.once('exit', resolve));

  expect({ code, shown }).toEqual({ code: 0, shown: expect.stringContaining('Everything was as expected.') });
  const rows = shown.split('\n').filter((line) => /[✓✗]/.test(line));
  expect(rows).toHaveLength(18);
  expect(rows.filter((row) => row.includes('denied')).length).toBe(3 + 1 + 5);
  // Carol sees the tools for which only scopes are missing, and each of her calls is denied.
  const carol = rows.slice(rows.findIndex((row) => row.includes('carol (contractor)')));
  expect(carol[0]).toContain(
    'may call no tool; lacks a scope for read_customer, send_email, update_customer',
  );
  expect(carol.slice(1)).toHaveLength(5);
  for (const row of carol.slice(1)) expect(row).toContain('denied');
  expect(shown).toMatch(
    /bob \(human\)\n\s+└─ planner-agent-\w+ \(agent\)\n\s+└─ operations-agent-\w+ \(agent\) called/,
  );
}, 60_000);
