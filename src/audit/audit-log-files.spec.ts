import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archiveName, archivesOf, firstSeqOf } from './audit-log-files.js';

it('names an archive by day and first record, and parses that name', () => {
  const name = archiveName('/srv/audit.jsonl', '2026-11-22T10:00:00.000Z', 42);
  expect(name).toBe('/srv/audit.20261122.000000000042.jsonl');
  expect(firstSeqOf('/srv/audit.jsonl', 'audit.20261122.000000000042.jsonl')).toBe(42);
});

it.each([
  'audit.jsonl',
  'audit.jsonl.lock',
  'audit.2026.1.jsonl',
  'other.20261122.000000000042.jsonl',
  'audit.20261122.000000000042.jsonl.gz',
  'audit.20261122.00000000004x.jsonl',
])('does not treat %s as an archive', (name) => {
  expect(firstSeqOf('/srv/audit.jsonl', name)).toBeUndefined();
});

it('sorts archives by sequence number, not by day', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'archives-'));
  try {
    const names = [
      'audit.20261123.000000000001.jsonl',
      'audit.20261122.000000000900.jsonl',
      'audit.20261124.1000000000000.jsonl',
    ];
    for (const name of [...names, 'audit.jsonl', 'audit.jsonl.lock']) writeFileSync(join(folder, name), '');
    expect(await archivesOf(join(folder, 'audit.jsonl'))).toEqual(names.map((name) => join(folder, name)));
    expect(await archivesOf(join(folder, 'nowhere', 'audit.jsonl'))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
