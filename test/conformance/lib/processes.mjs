/** Child processes that the runner waits for and that never outlive it. */
import { fork, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

/**
 * Runs a command to its end.
 * @param {string[]} command the program and its arguments.
 * @param {{ signal: AbortSignal, log?: string, anyExitCode?: boolean }} options `log`: a file that receives the
 *   output in place of the terminal.
 * @returns {Promise<number>} the exit code.
 * @throws Error if the program cannot start, ends with a signal, or ends with a code other than 0 without
 *   `anyExitCode`.
 */
export async function runToEnd([program, ...args], { signal, log, anyExitCode = false }) {
  const output = log ? openSync(log, 'w') : 'inherit';
  try {
    // The environment of the caller, such as proxies or Node.js options, must not affect the result.
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    const child = spawn(program, args, {
      stdio: ['ignore', output, output],
      env: log ? env : process.env,
      signal,
    });
    const code = await endOf(child);
    if (code === null || (code !== 0 && !anyExitCode)) {
      throw new Error(`${program} ${args[0]} ended with ${code === null ? 'a signal' : `exit code ${code}`}`);
    }
    return code;
  } finally {
    if (log) closeSync(output);
  }
}

/**
 * Forks a Node.js module that sends one message with `process.send` when it is ready.
 * @returns {Promise<{ ready: any, stop(): Promise<void> }>}
 */
export async function forkUntilReady(file, args, { signal, log }) {
  const output = openSync(log, 'w');
  const env = { PATH: process.env.PATH };
  const child = fork(file, args, { stdio: ['ignore', output, output, 'ipc'], env, execArgv: [] });
  closeSync(output);
  const ended = endOf(child);
  const stop = () => stopChild(child, ended);
  try {
    const ready = await firstOf(child, ended, signal);
    return { ready, stop };
  } catch (error) {
    await stop();
    throw signal.aborted
      ? error
      : new Error(`The server under test did not start, see ${log}`, { cause: error });
  }
}

function firstOf(child, ended, signal) {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    ended.then((code) => reject(new Error(`The process ended with ${code}`)), reject);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Closes the channel of the child to stop it, and kills it after 5 seconds. */
async function stopChild(child, ended) {
  if (child.connected) child.disconnect();
  const impatience = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended.catch(() => undefined);
  clearTimeout(impatience);
}

function endOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
}
