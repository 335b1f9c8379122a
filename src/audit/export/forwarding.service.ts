/** Starts one forwarder for each sink in AUDIT_SINKS_FILE. */
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { join } from 'node:path';
import { EventLogger } from '../../core/event-logger.js';
import { AuditService } from '../audit.service.js';
import type { OutboundSettings, Settings, SinkSettings } from '../../config/settings.js';
import { FileSink } from './file.sink.js';
import { Forwarder, type ForwarderStatus } from './forwarder.js';
import { HttpsSink } from './https.sink.js';
import { CursorFile } from './cursor.js';
import { PostgresSink } from './postgres.sink.js';
import type { Sink } from './sink.js';
import { StdoutSink } from './stdout.sink.js';
import { SyslogSink } from './syslog.sink.js';

@Injectable()
export class ForwardingService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new EventLogger(ForwardingService.name);
  private readonly forwarders: Forwarder[] = [];

  constructor(
    private readonly config: ConfigService<Settings, true>,
    private readonly audit: AuditService,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { sinks, file } = this.config.get('audit', { infer: true });
    const { dataDir } = this.config.get('storage', { infer: true });
    const outbound = this.config.get('outbound', { infer: true });
    for (const settings of sinks) {
      const forwarder = new Forwarder({
        name: settings.name,
        sink: toSink(settings, outbound),
        cursor: await CursorFile.in(join(dataDir, 'audit-sinks'), settings.name),
        auditLog: file,
        instance: () => this.audit.instance,
        lastDurableSeq: () => this.audit.lastDurableSeq,
        log: this.logger,
      });
      this.audit.registerConsumer(() => forwarder.arrived);
      this.forwarders.push(forwarder);
      forwarder.start();
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.forwarders.map((forwarder) => forwarder.stop()));
  }

  status(): ForwarderStatus[] {
    return this.forwarders.map((forwarder) => forwarder.status());
  }
}

function toSink(settings: SinkSettings, outbound: OutboundSettings | undefined): Sink {
  switch (settings.type) {
    case 'file':
      return new FileSink(settings);
    case 'stdout':
      return new StdoutSink(settings.format);
    case 'https':
      return new HttpsSink(settings, outbound);
    case 'syslog':
      return new SyslogSink(settings);
    case 'postgres':
      return new PostgresSink(settings.databaseUrl);
  }
}
