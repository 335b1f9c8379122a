/** Child processes of the benchmark: servers with a probe, and the load generator. They end with the benchmark. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROBE = new URL('probe.mjs', import.meta.url).href;
const LOAD_WORKER = fileURLToPath(new URL('load-worker.mjs', import.meta.url));
const START_MS = 60_000;
const STOP_MS = 15_000;

const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** A server with the probe loaded; resolves when the server reports that it listens. */
export async function startServer(file, { args = [], env, nodeArgs = [] }) {
  const child = fork(file, args, {
    env: { PATH: process.env.PATH, ...env },
    execArgv: ['--expose-gc', '--import', PROBE, ...nodeArgs],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  running.add(child);
  let said = '';
  child.stderr.on('data', (text) => (said = (said + text).slice(-4000)));
  const ended = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    return code ?? signal;
  });
  await answerOf(child, ended, (message) => message === 'listening' || undefined).catch((error) => {
    child.kill('SIGKILL');
    throw new Error(`${file} did not start: ${error.message}\n${said}`);
  });
  const asked = (ask, more) => {
    const answered = answerOf(child, ended, (message) => message?.[ask]);
    child.send({ ask, ...more });
    return answered;
  };
  return {
    pid: child.pid,
    /** CPU time so far in microseconds and memory in bytes; `collect`: after a full garbage collection. */
    figures: (collect = false) => asked('figures', { collect }),
    startProfile: () => asked('profile', {}),
    endProfile: (file) => asked('profiled', { file }),
    stop: async () => {
      const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      if (child.connected) child.disconnect();
      await ended;
      clearTimeout(impatience);
    },
  };
}

/** The load generator process; it runs one job at a time. */
export function startLoad() {
  const child = fork(LOAD_WORKER, { execArgv: [], env: { PATH: process.env.PATH } });
  running.add(child);
  const ended = once(child, 'exit').then(([code]) => {
    running.delete(child);
    return code;
  });
  return {
    run: async (job) => {
      const answered = answerOf(child, ended, (message) => message, 0);
      child.send(job);
      const { figures, error } = await answered;
      if (error) throw new Error(`The load generator failed: ${error}`);
      return figures;
    },
    stop: async () => {
      child.disconnect();
      await ended;
    },
  };
}

function answerOf(child, ended, pick, milliseconds = START_MS) {
  return new Promise((resolve, reject) => {
    const timer =
      milliseconds && setTimeout(() => done(reject, new Error('no response in time')), milliseconds);
    const listen = (message) => {
      const answer = pick(message);
      if (answer !== undefined) done(resolve, answer);
    };
    const done = (settle, value) => {
      clearTimeout(timer);
      child.off('message', listen);
      settle(value);
    };
    child.on('message', listen);
    void ended.then((how) => done(reject, new Error(`the process ended with ${how}`)));
  });
}
