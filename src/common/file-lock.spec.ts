import { transformFileSync } from '@swc/core';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { acquireFileLock } from './file-lock.js';

jest.setTimeout(30_000);

const NONCE = '00000000-0000-4000-8000-00000000000a';
const onLinux = process.platform === 'linux' ? it : it.skip;

describe('acquireFileLock', () => {
  let dir: string;
  let path: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'file-lock-'));
    path = join(dir, 'a.lock');
  });

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(dir, { recursive: true });
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

  it('records who holds it, and leaves nothing behind when released', async () => {
    const lock = await acquireFileLock(path);
    expect(holder()).toMatchObject({ pid: process.pid, host: hostname() });
    expect(Math.abs(Date.now() - Date.parse(holder().since as string))).toBeLessThan(60_000);
    expect(files()).toEqual(['a.lock']);
    await lock.release();
    expect(files()).toEqual([]);
  });

  it('refuses a second taker within the same process, names file, process, host and remedy, then lets it in', async () => {
    const lock = await acquireFileLock(path);
    const refusal = await acquireFileLock(path).catch((error: Error) => error.message);
    for (const part of [path, `process ${process.pid}`, hostname(), 'Stop that process', 'delete the file']) {
      expect(refusal).toContain(part);
    }
    expect(files()).toEqual(['a.lock']);
    await lock.release();
    await (await acquireFileLock(path)).release();
  });

  it('releases only what is still its own, however often it is told', async () => {
    const first = await acquireFileLock(path);
    await first.release();
    const second = await acquireFileLock(path);
    await first.release();
    expect(files()).toEqual(['a.lock']);
    leave({ host: 'elsewhere' });
    await second.release();
    expect(holder().host).toBe('elsewhere');
  });

  it('takes over from a process that is gone', async () => {
    leave({});
    const lock = await acquireFileLock(path);
    expect(holder().pid).toBe(process.pid);
    expect(files()).toEqual(['a.lock']);
    await lock.release();
    expect(files()).toEqual([]);
  });

  it('takes over from its own pid in an earlier life, as pid 1 of a restarted container has it', async () => {
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

  it('respects another host, whatever its process ids', async () => {
    leave({ host: 'elsewhere.example' });
    await expect(acquireFileLock(path)).rejects.toThrow('elsewhere.example');
    expect(holder().nonce).toBe(NONCE);
    expect(files()).toEqual(['a.lock']);
  });

  it.each([
    ['empty', ''],
    ['no JSON', 'not json'],
    ['null', 'null'],
    ['a list', '[]'],
    ['without fields', '{}'],
    ['a process group', JSON.stringify({ pid: 0, host: hostname(), since: '', start: null, nonce: NONCE })],
    [
      'a path',
      JSON.stringify({ pid: 1, host: hostname(), since: '', start: null, nonce: `../../${'a'.repeat(30)}` }),
    ],
  ])('leaves a file alone that is no lock: %s', async (_, text) => {
    writeFileSync(path, text);
    await expect(acquireFileLock(path)).rejects.toThrow(`${path} is no lock file`);
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(files()).toEqual(['a.lock']);
  });

  it('follows a claimant that died while taking over', async () => {
    const second = NONCE.replace('a', 'b');
    leave({});
    leave({ nonce: second }, `${path}.${NONCE}`);
    leave({ nonce: NONCE.replace('a', 'c') }, `${path}.${second}`);
    await acquireFileLock(path);
    expect(holder().pid).toBe(process.pid);
    expect(files()).toEqual(['a.lock']);
  });

  it('gives way to a claimant that is taking over right now', async () => {
    leave({});
    leave({ pid: process.ppid, start: null }, `${path}.${NONCE}`);
    await expect(acquireFileLock(path)).rejects.toThrow(`process ${process.ppid}`);
    expect(holder().nonce).toBe(NONCE);
  });

  it('lets exactly one of many takers win, whether the file is absent or stale', async () => {
    for (let round = 0; round < 60; round++) {
      if (round % 2) leave({ nonce: NONCE.replace('a', 'd') });
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
      program = join(dir, 'program.cjs');
      const { code } = transformFileSync(join(__dirname, 'file-lock.ts'), {
        swcrc: false,
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
      });
      const main = `
        process.stdin.once('data', () => exports.acquireFileLock(process.argv[2]).then(
          () => process.stdout.write('won'),
          () => process.stdout.write('lost'),
        ));
        process.stdout.write('ready');`;
      writeFileSync(program, `${code}\n${main}`);
    });

    /** A process that answers `go` with `won` or `lost`, and then stays. */
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

    it('respects a holder that lives, and takes over once it was killed', async () => {
      const other = await starter();
      expect(await other.go()).toBe('won');
      await expect(acquireFileLock(path)).rejects.toThrow(`process ${String(holder().pid)}`);
      await other.kill();
      await acquireFileLock(path);
      expect(holder().pid).toBe(process.pid);
    });

    it('lets exactly one of several starters take over from the dead', async () => {
      for (let round = 0; round < 4; round++) {
        const starters = await Promise.all(Array.from({ length: 6 }, starter));
        leave({ nonce: NONCE.replace('a', String(round)) });
        const answers = await Promise.all(starters.map((one) => one.go()));
        expect(answers.filter((answer) => answer === 'won')).toHaveLength(1);
        await Promise.all(starters.map((one) => one.kill()));
      }
    });
  });
});

/** The pid of a process that has just ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['--version']).pid;
}
