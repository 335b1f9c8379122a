import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileForChild, killedInLoops } from '../../test/support/child-script.js';
import { createFile, replaceFile } from './durable-file.js';

jest.setTimeout(60_000);

describe('durable files', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'durable-'));
    path = join(folder, 'deep', 'er', 'file.pem');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const text = () => readFileSync(path, 'utf8');
  const names = () => readdirSync(join(folder, 'deep', 'er'));

  it('createFile creates the folder and a file of mode 0600, and leaves no draft', async () => {
    expect(await createFile(path, 'one')).toBe(true);
    expect([text(), statSync(path).mode & 0o777, names()]).toEqual(['one', 0o600, ['file.pem']]);
  });

  it('createFile does not change an existing file', async () => {
    await createFile(path, 'one');
    expect(await createFile(path, 'two')).toBe(false);
    expect([text(), names()]).toEqual(['one', ['file.pem']]);
  });

  it('createFile lets exactly one of many writers create the file', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, at) => createFile(path, `text ${at}`)));
    expect(results.filter(Boolean)).toHaveLength(1);
    expect([text(), names()]).toEqual([`text ${results.indexOf(true)}`, ['file.pem']]);
  });

  it('replaceFile replaces the old file by a new file of mode 0600', async () => {
    await createFile(path, 'one');
    await replaceFile(path, 'two');
    expect([text(), statSync(path).mode & 0o777, names()]).toEqual(['two', 0o600, ['file.pem']]);
  });

  it('replaceFile removes the drafts of killed processes after an hour, and no other file', async () => {
    await createFile(path, 'one');
    const draft = `${path}.00000000-0000-4000-8000-000000000000.tmp`;
    const others = [`${path}.mine.tmp`, `${path}.bak`];
    for (const file of [draft, ...others]) writeFileSync(file, 'half');
    await replaceFile(path, 'two');
    expect(names()).toHaveLength(4);
    const before = new Date(Date.now() - 2 * 3_600_000);
    for (const file of [draft, ...others]) utimesSync(file, before, before);
    await replaceFile(path, 'three');
    expect(names().sort()).toEqual(['file.pem', 'file.pem.bak', 'file.pem.mine.tmp']);
  });

  it('keeps the old file and leaves no draft if the disk is full', async () => {
    await createFile(path, 'one');
    const program = compileForChild(
      ['lib/durable-file'],
      join(folder, 'compiled'),
      `const { createFile, replaceFile } = require('./lib/durable-file.js');
      const long = 'x'.repeat(100_000);
      (async () => {
        for (const act of [() => createFile(process.argv[2] + '.new', long), () => replaceFile(process.argv[2], long)])
          await act().then(() => console.log('done'), ({ code }) => console.log(code));
      })();`,
    );
    const { stdout } = spawnSync(
      'bash',
      ['-c', 'trap "" XFSZ; ulimit -f 16; exec "$0" "$@"', process.execPath, program, path],
      { encoding: 'utf8' },
    );
    expect(stdout).toBe('EFBIG\nEFBIG\n');
    expect([text(), names()]).toEqual(['one', ['file.pem']]);
  });

  it('leaves a complete file whenever its writer is killed', async () => {
    const program = compileForChild(
      ['lib/durable-file'],
      join(folder, 'compiled'),
      `const { createFile, replaceFile } = require('./lib/durable-file.js');
      (async () => {
        for (let at = 0; ; at++) {
          await createFile(process.argv[2] + '.' + at, 'whole'.repeat(1000));
          process.stdout.write('made');
          await replaceFile(process.argv[2], 'whole'.repeat(1000));
        }
      })();`,
    );
    let seen = 0;
    await killedInLoops(program, [path], 8, () => {
      for (const name of names().filter((one) => !one.endsWith('.tmp'))) {
        expect(readFileSync(join(folder, 'deep', 'er', name), 'utf8') === 'whole'.repeat(1000)).toBe(true);
        seen += 1;
      }
    });
    expect(seen).toBeGreaterThanOrEqual(8);
  });
});
