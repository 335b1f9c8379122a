import { spawn, spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileForChild, killedInLoops } from '../../test/support/child-script.js';
import { keyDamage, readOrMakeKey, type KeyFile } from './key-file.js';

jest.setTimeout(60_000);

const WHOLE = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
/** Damage left by kills, full disks and power cuts. */
const DAMAGED: [string, string][] = [
  ['empty', ''],
  ['a line break', '\n'],
  ['zeroed', '\0'.repeat(119)],
  ...[1, 10, 27, 28, 60, 100, WHOLE.length - 3].flatMap((bytes): [string, string][] => [
    [`cut off after ${bytes} bytes`, WHOLE.slice(0, bytes)],
    [`cut off after ${bytes} bytes, and zeros behind them`, WHOLE.slice(0, bytes).padEnd(4096, '\0')],
  ]),
];

describe('readOrMakeKey', () => {
  let folder: string;
  let path: string;
  let told: string[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'key-file-'));
    path = join(folder, 'data', 'audit-key.pem');
    mkdirSync(join(folder, 'data'));
    told = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const read = (more: Partial<KeyFile> = {}) =>
    readOrMakeKey({
      path,
      mayMake: true,
      hasSigned: false,
      what: 'audit key',
      generate: () => generateKeyPairSync('ed25519'),
      onReplaced: (message) => told.push(message),
      ...more,
    });
  const names = () => readdirSync(join(folder, 'data'));

  it('creates a key of mode 0600 and reads it afterwards', async () => {
    const pem = await read();
    expect(createPrivateKey(pem).asymmetricKeyType).toBe('ed25519');
    expect([await read(), await read({ hasSigned: true, mayMake: false })]).toEqual([pem, pem]);
    expect([statSync(path).mode & 0o777, names(), told]).toEqual([0o600, ['audit-key.pem'], []]);
  });

  it.each(DAMAGED)('replaces a file without signatures that is %s, and reports it', async (_, text) => {
    writeFileSync(path, text);
    const pem = await read();
    expect(createPrivateKey(pem).asymmetricKeyType).toBe('ed25519');
    expect([await read(), readFileSync(path, 'utf8'), names()]).toEqual([pem, pem, ['audit-key.pem']]);
    expect(told).toEqual([
      expect.stringMatching(/^The audit key .*audit-key\.pem .* replaced by a new key$/),
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it.each(DAMAGED)('keeps a file with signatures that is %s, and names the remedy', async (_, text) => {
    writeFileSync(path, text);
    const refusal = await read({ hasSigned: true }).catch(({ message }: Error) => message);
    for (const part of [path, 'restore the file from a backup', 'delete the file'])
      expect(refusal).toContain(part);
    expect([readFileSync(path, 'utf8'), told]).toEqual([text, []]);
  });

  it.each(DAMAGED)('keeps a file that the operator names and that is %s', async (_, text) => {
    writeFileSync(path, text);
    await expect(read({ mayMake: false })).rejects.toThrow(`The audit key ${path}`);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it.each([
    ['another text', 'not a key'],
    ['a whole key of another form', WHOLE.replaceAll('PRIVATE', 'EC PRIVATE')],
    ['a whole key with damaged contents', WHOLE.replace(/M/g, '!')],
    ['text behind zeros', `\0\0${WHOLE}`],
  ])('does not change %s', async (_, text) => {
    writeFileSync(path, text);
    expect(keyDamage(text)).toBeUndefined();
    expect(await read()).toBe(text);
    expect(told).toEqual([]);
  });

  it('does not create a missing file that the operator names', async () => {
    await expect(read({ mayMake: false })).rejects.toThrow('cannot be read (ENOENT)');
    expect(names()).toEqual([]);
  });

  it('never includes the key in a message', async () => {
    writeFileSync(path, WHOLE.slice(0, 90));
    const { message } = await read({ hasSigned: true }).then(
      () => new Error('read'),
      (error: Error) => error,
    );
    expect(message).not.toContain(WHOLE.slice(30, 60));
  });

  const PROGRAM = `const { readOrMakeKey } = require('./lib/key-file.js');
    const { generateKeyPairSync } = require('node:crypto');
    process.stdin.once('data', () =>
      readOrMakeKey({
        path: process.argv[2], mayMake: true, hasSigned: false, what: 'key', onReplaced: () => undefined,
        generate: () => generateKeyPairSync('ed25519'),
      }).then((pem) => process.stdout.write(pem), (error) => process.stdout.write(error.message)));
    process.stdout.write('ready');`;

  it.each([
    ['that is missing', undefined],
    ['that is empty', ''],
  ])('returns the same key to servers that start together with a file %s', async (_, left) => {
    const program = compileForChild(['lib/key-file'], join(folder, 'compiled'), PROGRAM);
    for (let round = 0; round < 3; round++) {
      rmSync(path, { force: true });
      if (left !== undefined) writeFileSync(path, left);
      const servers = Array.from({ length: 4 }, () => spawn(process.execPath, [program, path]));
      const said = ({ stdout }: (typeof servers)[number]) =>
        once(stdout, 'data').then(([data]: unknown[]) => String(data));
      await Promise.all(servers.map(said));
      const answers = Promise.all(servers.map(said));
      servers.forEach(({ stdin }) => stdin.write('go'));
      expect(new Set(await answers)).toEqual(new Set([readFileSync(path, 'utf8')]));
      const ended = Promise.all(servers.map((server) => once(server, 'exit')));
      servers.forEach(({ stdin }) => stdin.end());
      await ended;
      expect(names()).toEqual(['audit-key.pem']);
    }
  });

  it('creates a complete key after any number of kills', async () => {
    const program = compileForChild(
      ['lib/key-file'],
      join(folder, 'compiled'),
      `const { readOrMakeKey } = require('./lib/key-file.js');
      const { generateKeyPairSync } = require('node:crypto');
      const { unlinkSync, writeFileSync } = require('node:fs');
      (async () => {
        process.stdout.write('ready');
        for (let at = 0; ; at++) {
          await readOrMakeKey({
            path: process.argv[2], mayMake: true, hasSigned: false, what: 'key', onReplaced: () => undefined,
            generate: () => generateKeyPairSync('ed25519'),
          });
          if (at % 2) writeFileSync(process.argv[2], '');
          else unlinkSync(process.argv[2]);
        }
      })();`,
    );
    await killedInLoops(program, [path], 8, async () => {
      expect(createPrivateKey(await read()).asymmetricKeyType).toBe('ed25519');
    });
  });

  it('leaves no file on a full disk, and creates the key after space is free', async () => {
    const program = compileForChild(['lib/key-file'], join(folder, 'compiled'), PROGRAM);
    const { stdout } = spawnSync(
      'bash',
      ['-c', 'trap "" XFSZ; ulimit -f 0; exec "$0" "$@"', process.execPath, program, path],
      { input: 'go', encoding: 'utf8' },
    );
    expect(stdout).toContain('EFBIG');
    expect(names()).toEqual([]);
    expect(createPrivateKey(await read()).asymmetricKeyType).toBe('ed25519');
  });

  it('reports an unreadable file', async () => {
    mkdirSync(path);
    await expect(read()).rejects.toThrow(`The audit key ${path} cannot be read (EISDIR)`);
  });
});
