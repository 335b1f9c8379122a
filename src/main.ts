/** Bootstrap only: configuration, listening, signals. */
import { createApp, type App } from './create-app.js';
import { readEnvironment } from './config/environment.js';

/** A call that has not ended by then is given up. */
const SHUTDOWN_DEADLINE_MS = 15_000;

async function main(): Promise<void> {
  const app = await createApp(readEnvironment());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(app));
  await app.listen();
}

async function stop(app: App): Promise<void> {
  setTimeout(() => process.exit(1), SHUTDOWN_DEADLINE_MS).unref();
  await app.close();
  process.exit(0);
}

main().catch((error: unknown) => {
  const known =
    error instanceof Error && ['ConfigurationError', 'DeclarationError', 'PolicyError'].includes(error.name);
  const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  console.error(inUse ? 'PORT: the address is in use' : known ? error.message : error);
  process.exit(1);
});
