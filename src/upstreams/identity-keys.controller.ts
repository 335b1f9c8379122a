/** Public key of identity headers (RFC 7517). */
import { Controller, Get, Header, NotFoundException } from '@nestjs/common';
import { PublicRoute } from '../core/public-route.js';
import type { IdentityKey } from './identity-key.js';
import { UpstreamsService } from './upstreams.service.js';

@Controller('.well-known/identity-keys')
@PublicRoute()
export class IdentityKeysController {
  constructor(private readonly upstreams: UpstreamsService) {}

  @Get()
  @Header('cache-control', 'public, max-age=300')
  async keys(): Promise<{ keys: IdentityKey['jwk'][] }> {
    if (!this.upstreams.signs) throw new NotFoundException();
    return { keys: [(await this.upstreams.identityKey()).jwk] };
  }
}
