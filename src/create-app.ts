/** Builds the application; `main.ts` and every end-to-end test use this function. */
import 'reflect-metadata';
import { type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import type { Express } from 'express';
import { readFileSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { Logger as PinoLogger } from 'nestjs-pino';
import { EventLogger } from './core/event-logger.js';
import { AppModule } from './app.module.js';
import { PROXIES } from './core/pipeline-context.js';
import type { Proxies } from './core/sender.js';
import { loadSettings, type Environment } from './config/load-settings.js';
import { proxyLines } from './config/proxies.js';
import { Drain } from './operations/shutdown/drain.js';
import { AccessLog } from './http/access-log.js';
import { requestListener } from './http/request-listener.js';
import { closePipelinedResponses } from './http/pipelined-responses.js';
import { McpServerAdapter } from './mcp/mcp-server-adapter.js';
import { ApplicationMiddleware } from './mcp/fast-path/fast-path-blockers.js';
import { FastPath } from './mcp/fast-path/fast-path.js';
import type { Settings } from './config/settings.js';
import { readTlsFiles } from './config/tls-files.js';
import { PolicyService } from './policy/policy.service.js';

/** Time limit for the arrival of one request. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Interval of the timeout check. */
const TIMEOUT_CHECK_MS = 5_000;
/** Longer than the idle time of proxies and clients: the sender of requests should close the connection. */
const KEEP_ALIVE_MS = 75_000;

export interface CreateAppOptions {
  /** Modules with further tools, resources and prompts. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
}

export interface App {
  readonly nest: NestExpressApplication;
  readonly settings: Settings;
  /** Starts to listen on HOST and PORT. */
  listen(): Promise<void>;
  /** Turns readiness off; requests are still answered. */
  drain(): void;
  /**
   * Stops accepting, waits for running requests, flushes the audit log, closes all resources.
   * @returns the number of requests aborted after `SHUTDOWN_GRACE_SECONDS`.
   */
  close(): Promise<number>;
}

/**
 * @param env all configuration of the server.
 * @throws ConfigurationError with every fault of the variables.
 * @throws DeclarationError with every fault of the registered tools.
 */
export async function createApp(env: Environment, options: CreateAppOptions = {}): Promise<App> {
  const settings = loadSettings(env, readText);
  const { host, port, tls, trustProxy, proxyHeaders, publicUrl } = settings.server;
  const adapter = new ExpressAdapter();
  const express = adapter.getInstance<Express>();
  const middleware = new ApplicationMiddleware(express);
  const nest = await NestFactory.create<NestExpressApplication>(
    AppModule.forRoot(settings, options.imports ?? []),
    adapter,
    {
      bodyParser: false,
      bufferLogs: true,
      abortOnError: false,
      ...(tls && { httpsOptions: readTlsFiles(tls) }),
    },
  );
  nest.useLogger(nest.get(PinoLogger));
  nest.disable('x-powered-by');
  nest.set('trust proxy', trustProxy);
  const trusts = express.get('trust proxy fn') as Proxies['trusts'];
  nest.set(PROXIES, { trusts, headers: proxyHeaders } satisfies Proxies);
  nest.set('query parser', 'simple');
  Object.assign(nest.getHttpServer(), {
    headersTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  const server = nest.getHttpServer() as Server;
  closePipelinedResponses(server);
  server.removeListener('request', express as RequestListener);
  const handle = nest.get(FastPath).wrap(server, express, middleware);
  server.on('request', requestListener(handle, nest.get(AccessLog), publicUrl.startsWith('https:')));
  const drain = nest.get(Drain);
  drain.watch(server);
  try {
    await nest.init();
  } catch (error) {
    await nest.close();
    throw error;
  }
  const logger = new EventLogger('Configuration');
  return {
    nest,
    settings,
    listen: async () => {
      await nest.listen(port, host);
      const issuers = settings.auth.issuers.map(({ issuer }) => issuer).join(', ');
      logger.write(
        'server.started',
        `Listening on ${settings.server.resource}; accepts tokens of ${issuers}`,
      );
      for (const line of proxyLines(settings.outbound)) logger.write('config.proxy_used', line);
      logger.write('audit.opened', `Audit log: ${settings.audit.file}`);
      logger.write('policy.loaded', nest.get(PolicyService).summary());
    },
    drain: () => drain.begin(),
    close: () => closeInOrder(nest, settings.shutdown.graceSeconds * 1000),
  };
}

/** Answers current requests and accepts no new ones. */
async function closeInOrder(nest: NestExpressApplication, graceMs: number): Promise<number> {
  const drain = nest.get(Drain);
  drain.begin();
  const server = nest.getHttpServer() as Server;
  // `nest.close()` waits for every connection.
  const closed = nest.close();
  const cut = await drain.finish(server, graceMs, () => nest.get(McpServerAdapter).cancelCalls());
  await closed;
  return cut;
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
