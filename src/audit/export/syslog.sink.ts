/**
 * Sends syslog messages (RFC 5424) over TLS (RFC 5425). Without acknowledgements, a reconnect repeats the
 * last delivery.
 */
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
  /** CA certificate of the collector (PEM); default: the system's certificates. */
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
    // A syslog collector never sends data, so the stream must flow for `end` to be noticed.
    socket.on('end', () => socket.destroy());
    socket.resume();
    this.socket = socket;
    return socket;
  }

  /** RFC 5425 section 4.3: octet-counted frames, so that message content cannot end a message. */
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
