/** Posts records as lines: NDJSON, or plain text for CEF. */
import { once } from 'node:events';
import { request as overPlain, type Agent, type IncomingMessage } from 'node:http';
import { request as overTls } from 'node:https';
import type { OutboundSettings, SinkFormat } from '../../config/settings.js';
import { agentFor } from '../../http/outbound/outbound.js';
import { render, type SinkRecord, type Sink } from './sink.js';

export interface HttpsSinkSettings {
  /** https, or http on a loopback address. */
  readonly url: string;
  readonly format: SinkFormat;
  /** Sent as `Authorization: Bearer`. */
  readonly token: string | undefined;
  /** CA certificate of the collector (PEM); default: the system's certificates. */
  readonly ca: string | undefined;
}

const TIMEOUT_MS = 10_000;

export class HttpsSink implements Sink {
  private readonly agent: Agent;

  constructor(
    private readonly settings: HttpsSinkSettings,
    outbound: OutboundSettings | undefined,
  ) {
    const { ca, url } = settings;
    this.agent = agentFor(outbound, url, {
      keepAlive: true,
      minVersion: 'TLSv1.2',
      ...(ca !== undefined && { ca }),
    });
  }

  /**
   * Any 2xx status confirms the delivery. A redirect does not, since it would send token and records to
   * another server.
   * @throws Error with the status, or with the cause of the failed request.
   */
  async deliver(records: readonly SinkRecord[]): Promise<void> {
    const { url, format, token } = this.settings;
    const options = {
      agent: this.agent,
      method: 'POST',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        'content-type': format === 'cef' ? 'text/plain; charset=utf-8' : 'application/x-ndjson',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    };
    const sent = (new URL(url).protocol === 'https:' ? overTls : overPlain)(url, options);
    sent.on('error', () => undefined);
    sent.end(records.map((one) => `${render(one, format)}\n`).join(''));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const { statusCode = 0 } = response;
    // The response body is discarded; the time-out ends a long one.
    response.on('error', () => undefined).resume();
    if (statusCode < 200 || statusCode > 299) throw new Error(`The collector answered ${statusCode}`);
  }

  close(): Promise<void> {
    this.agent.destroy();
    return Promise.resolve();
  }
}
