/** Starts the server: configuration, listening, signals, exit codes. */
import { setTimeout as pause } from 'node:timers/promises';
import { EventLogger } from './core/event-logger.js';
import { createApp, type App } from './create-app.js';
import type { Environment } from './config/load-settings.js';
import { TOOL_MODULES } from './tool-modules.js';

/** Beyond the grace that calls have: to flush and let go of everything else. */
const LAST_SECONDS = 15;

/** Why it cannot listen, by the code of the error. */
const UNUSABLE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'PORT: the address is in use',
  EACCES: 'PORT: this user may not listen there',
  EADDRNOTAVAIL: 'HOST: this machine has no such address',
  ENOTFOUND: 'HOST: there is no such host',
  EAI_AGAIN: 'HOST: the name cannot be resolved',
};

/**
 * Resolves when the server listens. The process ends with code 1 if it cannot start, or if requests were cut off when it
 * stopped.
 * @param environment read once; its errors stop the start.
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
  // SIGHUP: the terminal is gone. Programs that were started must not outlive this one.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
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
  // An interrupt comes from a terminal, where nobody balances load.
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
  const known =
    error instanceof Error && ['ConfigurationError', 'DeclarationError', 'PolicyError'].includes(error.name);
  const unusable = UNUSABLE[(error as NodeJS.ErrnoException).code ?? ''];
  console.error(unusable ?? (known ? error.message : error));
}
