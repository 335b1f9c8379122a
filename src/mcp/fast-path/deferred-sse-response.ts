/**
 * A response that becomes an event stream only for a log message, or for a keep-alive of a long call. Format of the
 * SDK, for revisions up to 2025-11-25.
 */
import type { ServerResponse } from 'node:http';

/** Proxies close idle connections after about a minute. */
const KEEP_ALIVE_MS = 15_000;
const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

export class DeferredSseResponse {
  private timer: NodeJS.Timeout;
  private isOpen = false;

  constructor(
    private readonly response: ServerResponse,
    everyMs = KEEP_ALIVE_MS,
  ) {
    this.timer = setInterval(() => this.write(': keepalive\n\n'), everyMs).unref();
  }

  /** @param message a notification. One without a JSON form is dropped. */
  notify(message: object): void {
    let text: string;
    try {
      text = JSON.stringify(message);
    } catch {
      return;
    }
    this.write(`event: message\ndata: ${text}\n\n`);
  }

  /** Ends the stream with this answer. @returns false without a stream: the caller must send the answer. */
  end(text: string): boolean {
    this.pause();
    if (this.isOpen) this.response.end(`event: message\ndata: ${text}\n\n`);
    return this.isOpen;
  }

  /** The tool has ended: no further notification. */
  pause(): void {
    clearInterval(this.timer);
  }

  private write(frame: string): void {
    const { response } = this;
    if (response.destroyed || response.writableEnded) return;
    if (!this.isOpen) response.writeHead(200, HEADERS);
    this.isOpen = true;
    response.write(frame);
  }
}
