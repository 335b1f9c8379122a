/** Loads renewed certificates of in-process TLS without a restart. */
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { HttpAdapterHost } from '@nestjs/core';
import { createHash } from 'node:crypto';
import type { Server } from 'node:https';
import { EventLogger } from '../../core/event-logger.js';
import { startPoller, type Poller } from '../../lib/poller.js';
import { readTlsFiles, type TlsFiles } from '../../config/tls-files.js';
import type { Settings, TlsSettings } from '../../config/settings.js';

const EVERY_MS = 2_000;

@Injectable()
export class CertificateReloaderService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new EventLogger('Certificates');
  private poller: Poller | undefined;
  private inUse = '';
  /** Rejected files, logged once. */
  private refused = '';

  constructor(
    private readonly config: ConfigService<Settings, true>,
    private readonly http: HttpAdapterHost,
  ) {}

  onApplicationBootstrap(): void {
    const { tls } = this.config.get('server', { infer: true });
    if (!tls) return;
    this.inUse = digestOf(readTlsFiles(tls));
    this.poller = startPoller(() => this.look(tls), EVERY_MS);
  }

  onApplicationShutdown(): void {
    this.poller?.stop();
  }

  /** Certificate and key are two files: a mismatch during renewal keeps the old pair. */
  private look(tls: TlsSettings): void {
    try {
      const files = readTlsFiles(tls);
      const digest = digestOf(files);
      if (digest === this.inUse) return;
      (this.http.httpAdapter.getHttpServer() as Server).setSecureContext(files);
      this.inUse = digest;
      this.refused = '';
      this.logger.write(
        'tls.certificate_reloaded',
        'TLS certificate: renewed certificate in use for new connections',
      );
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.refused) {
        this.logger.write(
          'tls.certificate_rejected',
          `TLS certificate: renewal rejected, the earlier certificate stays in use: ${message}`,
        );
      }
      this.refused = message;
    }
  }
}

function digestOf({ cert, key, ca }: TlsFiles): string {
  const hash = createHash('sha256');
  for (const part of [cert, key, ca]) hash.update(part instanceof Buffer ? part : '').update('\n');
  return hash.digest('hex');
}
