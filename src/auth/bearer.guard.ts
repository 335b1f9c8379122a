/** The first question of every request: who is asking? */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request, Response } from 'express';
import { exchangeOf, type GateRequest } from '../common/exchange.js';
import { isPublicRoute } from '../common/public-route.js';
import { ClientCertificateService } from './client-certificate.service.js';
import { readCredential } from './credential.js';
import { SenderBinding } from './sender-binding.js';
import { TokenVerifier } from './token-verifier.js';

@Injectable()
export class BearerGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: TokenVerifier,
    private readonly binding: SenderBinding,
    private readonly certificates: ClientCertificateService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (isPublicRoute(this.reflector, context)) return true;
    const request = context.switchToHttp().getRequest<Request & GateRequest>();
    const exchange = exchangeOf(request);
    const credential = readCredential(
      request.headersDistinct.authorization ?? [],
      Object.keys(request.query),
    );
    exchange.scheme = credential.scheme;
    if (credential.scheme === 'DPoP') this.tellNonce(context.switchToHttp().getResponse<Response>());
    try {
      exchange.principal = await this.verifier.verify({
        ...credential,
        proofs: request.headersDistinct.dpop ?? [],
        certificate: () => this.certificates.of(request),
      });
    } finally {
      exchange.clock?.lap('authentication');
    }
    return true;
  }

  /** RFC 9449 section 8.2: every answer may carry the nonce for the next proof. */
  private tellNonce(response: Response): void {
    const nonce = this.binding.nonce();
    if (nonce !== undefined) response.setHeader('dpop-nonce', nonce);
  }
}
