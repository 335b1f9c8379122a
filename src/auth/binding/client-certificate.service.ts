/** Thumbprint of the client certificate of a connection, or of the one that a proxy forwards. */
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { headerValues } from '../../core/header-values.js';
import type { ClientCertificateHeader, Settings } from '../../config/settings.js';
import { certificateFromHeader, thumbprintOf } from './client-certificate.js';

@Injectable()
export class ClientCertificateService {
  private readonly header: ClientCertificateHeader | undefined;

  constructor(config: ConfigService<Settings, true>) {
    this.header = config.get('auth', { infer: true }).clientCertificateHeader;
  }

  /**
   * @returns the thumbprint (RFC 8705 section 3.1), or undefined without a certificate. With a configured header only
   * the header counts: the certificate of the connection then belongs to the proxy.
   * @param byProxy true if the peer of the connection is a proxy of `TRUST_PROXY`.
   * @throws AppError `request_malformed` for an unreadable header of the proxy.
   */
  of(request: IncomingMessage, byProxy: boolean): string | undefined {
    if (this.header) {
      return certificateFromHeader(
        byProxy ? headerValues(request, this.header.name) : [],
        this.header.format,
      );
    }
    const { socket } = request;
    if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
    const { raw } = socket.getPeerCertificate() as { raw?: Buffer };
    return raw && thumbprintOf(raw);
  }
}
