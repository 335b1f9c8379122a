/**
 * An answer that becomes a stream of events only where there is something to say before it: what a tool logs, and, while
 * it works for long, that the connection is still in use. As the SDK writes them; for clients up to revision 2025-11-25.
 */
import type { ServerResponse } from 'node:http';

/** Proxies end connections that are silent for a minute or less. */
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

  /** @param message a notification. What cannot be written as JSON is not told: that is no failure of what it is about. */
  notify(message: object): void {
    let text: string;
    try {
      text = JSON.stringify(message);
    } catch {
      return;
    }
    this.write(`event: message\ndata: ${text}\n\n`);
  }

  /** Ends the stream with this answer. @returns false where there is no stream: the answer is still to be sent. */
  end(text: string): boolean {
    this.pause();
    if (this.isOpen) this.response.end(`event: message\ndata: ${text}\n\n`);
    return this.isOpen;
  }

  /** The tool has ended: nothing more is said before the answer. */
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
