/** Starts the server: configuration, listening, signals, exit codes. */
import { setTimeout as pause } from 'node:timers/promises';
import { EventLogger } from './core/event-logger.js';
import { createApp, type App } from './create-app.js';
import type { Environment } from './config/load-settings.js';
import { TOOL_MODULES } from './tool-modules.js';

/** Additional time after the grace period, to flush and close. */
const LAST_SECONDS = 15;

/** Errors whose message is for the operator. */
const FORESEEN = ['ConfigurationError', 'DeclarationError', 'PolicyError', 'FileLockError'];
/** Cause of a failed listen, by error code. */
const UNUSABLE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'PORT: the address is in use',
  EACCES: 'PORT: this user may not listen on the port',
  EADDRNOTAVAIL: 'HOST: this machine does not have the address',
  ENOTFOUND: 'HOST: the host is unknown',
  EAI_AGAIN: 'HOST: the name cannot be resolved',
};

/**
 * Resolves when the server listens. The process exits with 1 if it cannot start, or if it aborted requests at the
 * end.
 * @param environment called once; its errors prevent the start.
 */
export async function startServer(environment: () => Environment): Promise<void> {
  try {
    await listen(environment());
  } catch (error) {
    reportFailure(error);
    process.exit(1);
  }
}

async function listen(env: Environment): Promise<void> {
  const app = await createApp(env, { imports: TOOL_MODULES });
  let stopping = false;
  // SIGHUP: the terminal closed. Child processes must not outlive this process.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // A second signal ends the process at once.
      if (stopping) process.exit(1);
      stopping = true;
      void stop(app, signal);
    });
  }
  await app.listen();
}

async function stop(app: App, signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP'): Promise<void> {
  const { drainSeconds, graceSeconds } = app.settings.shutdown;
  const logger = new EventLogger('Shutdown');
  // SIGINT comes from a terminal, without a load balancer to drain.
  const drained = signal === 'SIGTERM' ? drainSeconds : 0;
  logger.write('server.draining', `${signal}: readiness off, draining for ${drained} s`);
  app.drain();
  await pause(drained * 1000);
  setTimeout(() => process.exit(1), (graceSeconds + LAST_SECONDS) * 1000).unref();
  const cut = await app.close();
  if (cut > 0) {
    logger.write('server.requests_aborted', `Shutdown: ${cut} request(s) aborted after ${graceSeconds} s`);
  }
  process.exit(cut > 0 ? 1 : 0);
}

function reportFailure(error: unknown): void {
  const known = error instanceof Error && FORESEEN.includes(error.name);
  const unusable = UNUSABLE[(error as NodeJS.ErrnoException).code ?? ''];
  console.error(unusable ?? (known ? error.message : error));
}
