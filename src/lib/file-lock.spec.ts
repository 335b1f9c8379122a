import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileForChild, killedInLoops } from '../../test/support/child-script.js';
import { acquireFileLock } from './file-lock.js';

jest.setTimeout(30_000);

const NONCE = '00000000-0000-4000-8000-00000000000a';
const onLinux = process.platform === 'linux' ? it : it.skip;

describe('acquireFileLock', () => {
  let dir: string;
  let path: string;
  let compiled: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'file-lock-'));
    path = join(dir, 'a.lock');
    compiled = mkdtempSync(join(tmpdir(), 'file-lock-program-'));
  });

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(dir, { recursive: true });
    rmSync(compiled, { recursive: true });
  });

  const files = () => readdirSync(dir).sort();
  const holder = (): Record<string, unknown> =>
    JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;

  function leave(fields: Record<string, unknown>, at = path): void {
    const usual = {
      pid: deadPid(),
      host: hostname(),
      since: '2026-01-01T00:00:00.000Z',
      start: 'x',
      nonce: NONCE,
    };
    writeFileSync(at, JSON.stringify({ ...usual, ...fields }));
  }

  it('records the holder and removes the file on release', async () => {
    const lock = await acquireFileLock(path);
    expect(holder()).toMatchObject({ pid: process.pid, host: hostname() });
    expect(Math.abs(Date.now() - Date.parse(holder().since as string))).toBeLessThan(60_000);
    expect(files()).toEqual(['a.lock']);
    await lock.release();
    expect(files()).toEqual([]);
  });

  it('rejects a second acquisition in the same process, names file, process, host and remedy, and allows it after release', async () => {
    const lock = await acquireFileLock(path);
    const refusal = await acquireFileLock(path).catch((error: Error) => error.message);
    for (const part of [path, `process ${process.pid}`, hostname(), 'Stop that process', 'delete the file']) {
      expect(refusal).toContain(part);
    }
    expect(files()).toEqual(['a.lock']);
    await lock.release();
    await (await acquireFileLock(path)).release();
  });

  it('releases its own lock only, also when called repeatedly', async () => {
    const first = await acquireFileLock(path);
    await first.release();
    const second = await acquireFileLock(path);
    await first.release();
    expect(files()).toEqual(['a.lock']);
    leave({ host: 'elsewhere' });
    await second.release();
    expect(holder().host).toBe('elsewhere');
  });

  it('takes over the lock of a dead process', async () => {
    leave({});
    const lock = await acquireFileLock(path);
    expect(holder().pid).toBe(process.pid);
    expect(files()).toEqual(['a.lock']);
    await lock.release();
    expect(files()).toEqual([]);
  });

  it('takes over the lock of an earlier process with its own pid, such as pid 1 of a restarted container', async () => {
    leave({ pid: process.pid, start: 'another boot:1' });
    await acquireFileLock(path);
    expect(holder().nonce).not.toBe(NONCE);
  });

  onLinux('takes over where the pid has passed to another process', async () => {
    leave({ pid: process.ppid, start: 'another boot:1' });
    await acquireFileLock(path);
    expect(holder().pid).toBe(process.pid);
  });

  it('respects a live process whose start is unknown', async () => {
    leave({ pid: process.ppid, start: null });
    await expect(acquireFileLock(path)).rejects.toThrow(`process ${process.ppid}`);
    expect(holder().nonce).toBe(NONCE);
  });

  it('respects a lock of another host, independent of process ids', async () => {
    leave({ host: 'elsewhere.example' });
    await expect(acquireFileLock(path)).rejects.toThrow('elsewhere.example');
    expect(holder().nonce).toBe(NONCE);
    expect(files()).toEqual(['a.lock']);
  });

  it.each([
    ['no JSON', 'not json'],
    ['the beginning of other JSON', '{"p": 1'],
    ['text behind zeros', '\0\0{"pid":1'],
    ['a lock with text behind it', '{"pid":1}\nmore'],
    ['null', 'null'],
    ['a list', '[]'],
    ['without fields', '{}'],
    ['a process group', JSON.stringify({ pid: 0, host: hostname(), since: '', start: null, nonce: NONCE })],
    [
      'a path',
      JSON.stringify({ pid: 1, host: hostname(), since: '', start: null, nonce: `../../${'a'.repeat(30)}` }),
    ],
  ])('does not change a file that is not a lock: %s', async (_, text) => {
    writeFileSync(path, text);
    await expect(acquireFileLock(path)).rejects.toThrow(`${path} is not a lock file`);
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(files()).toEqual(['a.lock']);
  });

  const WHOLE = JSON.stringify({
    pid: 4_000_000,
    host: hostname(),
    since: '2026-01-01T00:00:00.000Z',
    start: 'x',
    nonce: NONCE,
  });

  it.each([
    ['empty', ''],
    ['zeroed', '\0'.repeat(150)],
    ...[1, 4, 7, 9, 40, 100, WHOLE.length - 1].flatMap((bytes) => [
      [`cut off after ${bytes} bytes`, WHOLE.slice(0, bytes)],
      [`cut off after ${bytes} bytes, and zeros behind them`, WHOLE.slice(0, bytes).padEnd(4096, '\0')],
    ]),
  ])('takes over a lock file that is %s', async (_, text) => {
    writeFileSync(path, text as string);
    const lock = await acquireFileLock(path);
    expect(holder().pid).toBe(process.pid);
    expect(files()).toEqual(['a.lock']);
    await expect(acquireFileLock(path)).rejects.toThrow(`process ${process.pid}`);
    await lock.release();
    expect(files()).toEqual([]);
  });

  it('continues after a claimant that died during the replacement of a broken file, even if its own file is broken', async () => {
    for (const left of [JSON.stringify({ ...JSON.parse(WHOLE), pid: deadPid() }), '', WHOLE.slice(0, 30)]) {
      writeFileSync(path, '');
      writeFileSync(`${path}.broken`, left);
      const lock = await acquireFileLock(path);
      expect(files()).toEqual(['a.lock']);
      await lock.release();
    }
  });

  onLinux('respects a live owner whose lock file was emptied or cut off', async () => {
    const lock = await acquireFileLock(path);
    for (const text of ['', WHOLE.slice(0, 20)]) {
      writeFileSync(path, text);
      await expect(acquireFileLock(path)).rejects.toThrow(`held by process ${process.pid}`);
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
    await lock.release();
    await (await acquireFileLock(path)).release();
  });

  it('removes drafts of dead processes only', async () => {
    const draft = (nonce: string) => `${path}.${NONCE.replace('a', nonce)}.draft`;
    leave({}, draft('b'));
    leave({ pid: process.ppid, start: null }, draft('c'));
    writeFileSync(draft('d'), '');
    await acquireFileLock(path);
    expect(files()).toEqual(['a.lock', ...['c', 'd'].map((one) => draft(one).slice(dir.length + 1))]);
  });

  it('continues after a claimant that died during a takeover', async () => {
    const second = NONCE.replace('a', 'b');
    leave({});
    leave({ nonce: second }, `${path}.${NONCE}`);
    leave({ nonce: NONCE.replace('a', 'c') }, `${path}.${second}`);
    await acquireFileLock(path);
    expect(holder().pid).toBe(process.pid);
    expect(files()).toEqual(['a.lock']);
  });

  it('yields to a claimant whose takeover is in progress', async () => {
    leave({});
    leave({ pid: process.ppid, start: null }, `${path}.${NONCE}`);
    await expect(acquireFileLock(path)).rejects.toThrow(`process ${process.ppid}`);
    expect(holder().nonce).toBe(NONCE);
  });

  it('lets exactly one of many claimants win, with an absent, stale or broken file', async () => {
    for (let round = 0; round < 36; round++) {
      if (round % 3 === 1) leave({ nonce: NONCE.replace('a', 'd') });
      if (round % 3 === 2) writeFileSync(path, WHOLE.slice(0, round));
      const results = await Promise.allSettled(Array.from({ length: 12 }, () => acquireFileLock(path)));
      const won = results.filter((result) => result.status === 'fulfilled');
      expect(won).toHaveLength(1);
      expect(files()).toEqual(['a.lock']);
      await won[0]!.value.release();
    }
  });

  describe('between processes', () => {
    let program: string;

    beforeEach(() => {
      program = compileForChild(
        ['lib/file-lock'],
        join(compiled, 'lock'),
        `const { acquireFileLock } = require('./lib/file-lock.js');
        process.stdin.once('data', () => acquireFileLock(process.argv[2]).then(
          () => process.stdout.write('won'),
          () => process.stdout.write('lost'),
        ));
        process.stdout.write('ready');`,
      );
    });

    /** A process that answers `go` with `won` or `lost` and keeps running. */
    async function starter(): Promise<{ go(): Promise<string>; kill(): Promise<void> }> {
      const child = spawn(process.execPath, [program, path], { stdio: ['pipe', 'pipe', 'inherit'] });
      children.push(child);
      const said = async () => String((await once(child.stdout, 'data'))[0]);
      expect(await said()).toBe('ready');
      return {
        go: () => {
          child.stdin.write('go');
          return said();
        },
        kill: async () => {
          const ended = once(child, 'exit');
          child.kill('SIGKILL');
          await ended;
        },
      };
    }

    it('respects a live holder and takes over after the holder is killed', async () => {
      const other = await starter();
      expect(await other.go()).toBe('won');
      await expect(acquireFileLock(path)).rejects.toThrow(`process ${String(holder().pid)}`);
      await other.kill();
      await acquireFileLock(path);
      expect(holder().pid).toBe(process.pid);
    });

    it('is free after any number of kills during acquisition and release', async () => {
      const taker = compileForChild(
        ['lib/file-lock'],
        join(compiled, 'taker'),
        `const { acquireFileLock } = require('./lib/file-lock.js');
        const { writeFileSync } = require('node:fs');
        (async () => {
          process.stdout.write('ready');
          for (let at = 0; ; at++) {
            await (await acquireFileLock(process.argv[2])).release();
            if (at % 2) writeFileSync(process.argv[2], '');
          }
        })();`,
      );
      await killedInLoops(taker, [path], 8, async () => (await acquireFileLock(path)).release());
      // A draft without text names no process and expires after an hour.
      for (const name of files()) {
        expect(name).toMatch(/\.draft$/);
        expect(readFileSync(join(dir, name), 'utf8')).toBe('');
      }
    });

    it('lets exactly one of several starters take over from a dead process or a broken file', async () => {
      for (let round = 0; round < 4; round++) {
        const starters = await Promise.all(Array.from({ length: 6 }, starter));
        if (round % 2) writeFileSync(path, '');
        else leave({ nonce: NONCE.replace('a', String(round)) });
        const answers = await Promise.all(starters.map((one) => one.go()));
        expect(answers.filter((answer) => answer === 'won')).toHaveLength(1);
        await Promise.all(starters.map((one) => one.kill()));
      }
    });
  });
});

/** Pid of a process that has just ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['--version']).pid;
}
