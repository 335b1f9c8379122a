/** Lines in the body of a POST: NDJSON, or text where they are CEF. */
import type { SinkFormat } from '../config/settings.js';
import { render, type Delivered, type Sink } from './sink.js';

export interface HttpsSinkSettings {
  readonly url: string;
  readonly format: SinkFormat;
  /** Sent as `Authorization: Bearer`. */
  readonly token: string | undefined;
}

const TIMEOUT_MS = 10_000;

export class HttpsSink implements Sink {
  constructor(private readonly settings: HttpsSinkSettings) {}

  /** Any 2xx is an arrival. @throws Error with the status, or with why there was no answer. */
  async deliver(records: readonly Delivered[]): Promise<void> {
    const { url, format, token } = this.settings;
    const response = await fetch(url, {
      method: 'POST',
      // A redirect would take the token, and the records, somewhere else.
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        'content-type': format === 'cef' ? 'text/plain; charset=utf-8' : 'application/x-ndjson',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: records.map((one) => `${render(one, format)}\n`).join(''),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`The collector answered ${response.status}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
