/** Syslog messages (RFC 5424) over TLS (RFC 5425). The protocol has no receipt, so after a broken connection the last delivery is sent again. */
import { once } from 'node:events';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { SinkFormat } from '../../config/settings.js';
import { severityOf, type Severity } from './severity.js';
import { render, type SinkRecord, type Sink } from './sink.js';
import { PRODUCT_NAME } from '../../lib/version.js';

export interface SyslogSinkSettings {
  readonly host: string;
  readonly port: number;
  readonly format: SinkFormat;
  /** PEM of the authority of the collector; those of the system where unset. */
  readonly ca: string | undefined;
}

/** RFC 5424 section 6.2.1: 13 is "log audit". */
const FACILITY = 13;
const SEVERITIES: Readonly<Record<Severity, number>> = { informational: 6, low: 5, medium: 4, high: 2 };
const TIMEOUT_MS = 10_000;

export class SyslogSink implements Sink {
  private socket: TLSSocket | undefined;
  private last: readonly SinkRecord[] = [];

  constructor(private readonly settings: SyslogSinkSettings) {}

  async deliver(records: readonly SinkRecord[]): Promise<void> {
    const isNew = !this.socket || this.socket.destroyed;
    const socket = isNew ? await this.open() : (this.socket as TLSSocket);
    const all = isNew ? [...this.last, ...records] : records;
    await written(socket, Buffer.from(all.map((one) => this.framed(one)).join(''), 'utf8'));
    this.last = records;
  }

  close(): Promise<void> {
    this.socket?.end();
    return Promise.resolve();
  }

  private async open(): Promise<TLSSocket> {
    const { host, port, ca } = this.settings;
    const socket = connect({
      host,
      port,
      ...(ca !== undefined && { ca }),
      ...(isIP(host) === 0 && { servername: host }),
      minVersion: 'TLSv1.2',
    });
    socket.setTimeout(TIMEOUT_MS, () => {
      if (socket.connecting) socket.destroy(new Error('The collector does not answer'));
    });
    await once(socket, 'secureConnect');
    socket.on('error', () => socket.destroy());
    // Syslog never answers: what comes is the end of the connection.
    socket.on('end', () => socket.destroy());
    socket.resume();
    this.socket = socket;
    return socket;
  }

  /** RFC 5425 section 4.3: the length in octets comes first, so that no message can end another. */
  private framed(one: SinkRecord): string {
    const { time, instance, event } = one.record;
    const priority = FACILITY * 8 + SEVERITIES[severityOf(one.record)];
    const message = `<${priority}>1 ${time} ${printable(instance)} ${PRODUCT_NAME} - ${event} - ${render(one, this.settings.format)}`;
    return `${Buffer.byteLength(message)} ${message}`;
  }
}

function printable(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '-').slice(0, 255) || '-';
}

function written(socket: TLSSocket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => socket.destroy(new Error('The collector does not take what is sent')),
      TIMEOUT_MS,
    );
    const closed = () => reject(new Error('The connection to the collector was closed'));
    socket.once('close', closed);
    socket.write(bytes, (error) => {
      clearTimeout(timer);
      socket.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
  });
}
