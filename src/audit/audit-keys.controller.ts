/**
 * Serves the public key (RFC 7517) that verifies the audit log's checkpoints. Auditors should also keep a
 * copy elsewhere.
 */
import { Controller, Get, Header, ServiceUnavailableException } from '@nestjs/common';
import { PublicRoute } from '../core/public-route.js';
import { AuditService } from './audit.service.js';
import type { PublicJwk } from './signing-key.js';

@Controller('.well-known/audit-keys')
@PublicRoute()
export class AuditKeysController {
  constructor(private readonly audit: AuditService) {}

  @Get()
  @Header('cache-control', 'no-store')
  keys(): { keys: PublicJwk[] } {
    const { key } = this.audit;
    if (!key) throw new ServiceUnavailableException();
    return { keys: [key] };
  }
}
