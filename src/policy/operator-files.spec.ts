/** Files of the operator's policy: accepted and rejected files, and detection of changes. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderState, ignoredFiles, PolicyError, readOperatorFiles } from './operator-files.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'policy-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
function faults(): readonly string[] {
  try {
    readOperatorFiles(folder);
    return [];
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return error.faults;
  }
}

it('reads policy.yaml and .cedar files in order, and ignores notes, schemas and hidden files', () => {
  for (const name of ['b.cedar', 'policy.yaml', 'a.cedar', 'README.md', 'gate.cedarschema', '.draft.cedar']) {
    writeFileSync(at(name), name);
  }
  expect(readOperatorFiles(folder).map(({ name, text }) => [name, text])).toEqual(
    ['a.cedar', 'b.cedar', 'policy.yaml'].map((name) => [name, name]),
  );
});

const TEMPORARY = [
  'policy.yaml~|policy.yaml.~12~|a.cedar.bak|a.cedar.orig|a.cedar.save|README.md~',
  '4913|5036|#policy.yaml#|.#policy.yaml|._a.cedar|.DS_Store|a.cedar.tmp|x.tmp',
  '.policy.yaml.swp|.policy.yaml.swo|.policy.yaml.swx|.a.cedar.swp|sedQ2bX7d',
  'policy.yaml___jb_tmp___|policy.yaml___jb_old___|.goutputstream-X5Q1S1|new.cedar.tmp',
].flatMap((names) => names.split('|'));

it.each(TEMPORARY)('ignores %s, a temporary file, names it, and sees no change', (name) => {
  for (const one of ['policy.yaml', 'a.cedar']) writeFileSync(at(one), one);
  const before = folderState(folder);
  writeFileSync(at(name), 'text');
  expect(readOperatorFiles(folder).map((file) => file.name)).toEqual(['a.cedar', 'policy.yaml']);
  expect(ignoredFiles(folder)).toEqual([name]);
  expect(folderState(folder)).toBe(before);
});

it.each(
  [
    'policy.yml|Policy.yaml|policy.yaml.txt|rules.cedar.txt|rules.cedar.md|policy.yml.TXT',
    'rules.cedar.disabled|rules.cedar.old|RULES.CEDAR|rules.cedar |4914|491|1',
    'rules.cedar.cedarschema|policy|policy.yaml2|rules.json|tmp|sed|policy.yaml.swz',
  ].flatMap((names) => names.split('|')),
)('rejects %j by its name', (name) => {
  writeFileSync(at('policy.yaml'), '');
  writeFileSync(at(name), '');
  expect(faults()).toEqual([`${name}: is neither policy.yaml nor a .cedar file: move it away`]);
});

it.each([
  ['policy.yaml~', 'policy.yaml'],
  ['policy.yaml.~1~', 'policy.yaml'],
  ['b.cedar.bak', 'b.cedar'],
  ['b.cedar.orig', 'b.cedar'],
  ['b.cedar___jb_old___', 'b.cedar'],
])('rejects a folder with %s but without %s', (backup, original) => {
  writeFileSync(at('a.cedar'), '');
  const before = folderState(folder);
  writeFileSync(at(backup), '');
  expect(faults()).toEqual([
    `${backup}: is a backup of ${original}, which is missing: restore that, or move the backup away`,
  ]);
  expect(folderState(folder)).not.toBe(before);
});

it('names a hidden draft of a policy file, and no other hidden file', () => {
  for (const name of ['a.cedar', '.draft.cedar', '.policy.yaml', '.gitignore', '..data', '..2026_1.yaml']) {
    writeFileSync(at(name), '');
  }
  expect(ignoredFiles(folder)).toEqual(['.draft.cedar', '.policy.yaml']);
});

it.each<[string, () => void, string]>([
  ['a folder', () => mkdirSync(at('a.cedar')), 'a.cedar: is not a file'],
  ['a device', () => symlinkSync('/dev/null', at('a.cedar')), 'a.cedar: is not a file'],
  ['a pipe', () => void execFileSync('mkfifo', [at('a.cedar')]), 'a.cedar: is not a file'],
  ['a link to nothing', () => symlinkSync('nothing', at('a.cedar')), 'a.cedar: cannot be read (ENOENT)'],
  ['a link to itself', () => symlinkSync('a.cedar', at('a.cedar')), 'a.cedar: cannot be read (ELOOP)'],
  ['no text', () => writeFileSync(at('a.cedar'), Buffer.of(0xff)), 'a.cedar: cannot be read (not UTF-8)'],
  [
    'a large file',
    () => writeFileSync(at('a.cedar'), '/'.repeat(1024 * 1024 + 1)),
    'a.cedar: is larger than 1048576 bytes',
  ],
  [
    'a large policy.yaml',
    () => writeFileSync(at('policy.yaml'), ' '.repeat(256 * 1024 + 1)),
    'policy.yaml: is larger than 262144 bytes',
  ],
  [
    'a name that moves the cursor',
    () => writeFileSync(at('\u001b[2J.yml'), ''),
    '\\u{1b}[2J.yml: is neither policy.yaml nor a .cedar file: move it away',
  ],
  [
    'a name that nobody can read',
    () => writeFileSync(at('a\u202e\n.cedar'), ''),
    'a\\u{202e}\\u{a}.cedar: has a name with invisible characters',
  ],
  [
    'another file',
    () => writeFileSync(at('a.yml'), ''),
    'a.yml: is neither policy.yaml nor a .cedar file: move it away',
  ],
  ['nothing', () => undefined, 'POLICY_DIR: holds neither policy.yaml nor a .cedar file'],
  ['no folder', () => rmSync(folder, { recursive: true }), 'POLICY_DIR: the folder cannot be read (ENOENT)'],
])('rejects %s', (_name, make, expected) => {
  make();
  expect(faults()).toEqual([expected]);
});

it('rejects too many files without reading them', () => {
  for (let count = 0; count <= 1_000; count++) writeFileSync(at(`${count}.yml`), '');
  expect(faults()).toEqual(['POLICY_DIR: holds more than 1000 files']);
});

it.each<[string, () => void]>([
  [
    'written again with as many bytes and its old time',
    () => {
      writeFileSync(at('a.cedar'), 'new');
      utimesSync(at('a.cedar'), 1, 1);
    },
  ],
  ['made readable', () => chmodSync(at('a.cedar'), 0o600)],
  ['joined by another', () => writeFileSync(at('b.cedar'), '')],
])('detects that a file was %s', async (_name, change) => {
  writeFileSync(at('a.cedar'), 'old');
  utimesSync(at('a.cedar'), 1, 1);
  const before = folderState(folder);
  expect(folderState(folder)).toBe(before);
  // Timestamps of file systems have milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 20));
  change();
  expect(folderState(folder)).not.toBe(before);
});

it('lists the first faults and counts the others', () => {
  const { message } = new PolicyError(Array.from({ length: 10_000 }, (_, one) => `fault ${one}`));
  expect(message.split('\n')).toHaveLength(102);
  expect(message).toMatch(
    /^The policy has 10000 fault\(s\):\n {2}- fault 0\n[^]*- fault 99\n {2}and 9900 more$/,
  );
});
