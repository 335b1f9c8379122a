/**
 * Open streams of `subscriptions/listen`: each notifies one caller of changes of its lists, and ends with its token.
 */
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  createMcpHandler,
  type McpHttpHandler,
  type McpRequestContext,
  type Server,
} from '@modelcontextprotocol/server';
import type { ServerResponse } from 'node:http';
import { AppError } from '../core/app-error.js';
import type { Principal } from '../core/principal.js';
import type { AuthorizedRequest, ListKind } from '../core/request-context.js';
import { toClient, toSdkRequest } from './sdk-request.js';

const MAX_STREAMS = 1_024;
const RETRY_SECONDS = 30;
/** Maximum delay of a timer; a token with a longer lifetime loses its stream earlier. */
const MAX_TIMER_MS = 2_147_483_647;

export class ChangeStreams {
  private readonly streams = new Map<AuthorizedRequest, McpHttpHandler>();

  constructor(private readonly serverFor: (context: McpRequestContext) => Server) {}

  /** Resolves at the end of the stream. @throws AppError `rate_limited` if too many are open. */
  async serve(response: ServerResponse, requestContext: AuthorizedRequest): Promise<void> {
    if (this.streams.size >= MAX_STREAMS) {
      throw new AppError('rate_limited', 'Too many open streams', {
        status: 429,
        retryAfterSeconds: RETRY_SECONDS,
      });
    }
    const { principal, parsed } = requestContext;
    const handler = createMcpHandler(this.serverFor, { maxSubscriptions: 1 });
    const left = principal.expiresAt * 1000 - Date.now();
    const end = setTimeout(() => void handler.close(), Math.min(Math.max(left, 0), MAX_TIMER_MS)).unref();
    this.streams.set(requestContext, handler);
    try {
      const answer = toNodeHandler(toClient(handler, 'either'));
      await answer(toSdkRequest(requestContext), response, parsed.message.body);
    } finally {
      clearTimeout(end);
      this.streams.delete(requestContext);
      await handler.close();
    }
  }

  closeRevoked(isRevoked: (principal: Principal) => boolean): void {
    for (const [{ principal }, handler] of this.streams) {
      if (isRevoked(principal)) void handler.close();
    }
  }

  /** @param changedFor returns the changed lists of one caller. */
  notify(changedFor: (requestContext: AuthorizedRequest) => readonly ListKind[]): void {
    for (const [requestContext, { notify }] of this.streams) {
      const changed = changedFor(requestContext);
      if (changed.includes('tools')) notify.toolsChanged();
      if (changed.includes('prompts')) notify.promptsChanged();
      if (changed.includes('resources') || changed.includes('resourceTemplates')) notify.resourcesChanged();
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.streams.values()].map((handler) => handler.close()));
  }
}
