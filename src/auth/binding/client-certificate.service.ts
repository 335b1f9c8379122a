/** The certificate that a client showed, on this connection or to the proxy in front. */
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
   * Its thumbprint (RFC 8705 section 3.1), or undefined where there is none. Where a header is configured only the
   * header counts: the certificate of the connection is then the proxy's own.
   * @param byProxy whether the other end of this very connection is a proxy that `TRUST_PROXY` names.
   * @throws AppError `request_malformed` where the proxy's header cannot be read.
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
