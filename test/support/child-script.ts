/** Runs some modules of the server as a process that a test can limit and kill. */
import { transformFileSync } from '@swc/core';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const SRC = join(__dirname, '../../src');

/**
 * Compiles modules with their imports from the server, together with a main program.
 * @param modules paths below `src` without extension: the program requires `./PATH.js`.
 * @returns the path of the program.
 */
export function compileForChild(modules: readonly string[], into: string, main: string): string {
  const done = new Set<string>();
  for (const module of modules) compile(module, into, done);
  const program = join(into, 'main.js');
  writeFileSync(program, main);
  return program;
}

function compile(module: string, into: string, done: Set<string>): void {
  if (done.has(module)) return;
  done.add(module);
  const { code } = transformFileSync(join(SRC, `${module}.ts`), {
    swcrc: false,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'commonjs' },
  });
  mkdirSync(dirname(join(into, module)), { recursive: true });
  writeFileSync(join(into, `${module}.js`), code);
  for (const [, path] of code.matchAll(/require\("(\.[^"]+)\.js"\)/g)) {
    compile(join(dirname(module), path as string), into, done);
  }
}

/** Repeatedly starts the program, waits for its first output, kills it shortly after (SIGKILL) and runs a check. */
export async function killedInLoops(
  program: string,
  args: readonly string[],
  times: number,
  look: () => void | Promise<void>,
): Promise<void> {
  for (let round = 0; round < times; round++) {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    await Promise.race([once(child.stdout, 'data'), ended]);
    await pause(randomInt(50));
    child.kill('SIGKILL');
    await ended;
    await look();
  }
}
