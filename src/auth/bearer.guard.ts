/** Authenticates each request by its access token. */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Reflector } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { headerValues } from '../core/header-values.js';
import { SubjectToken } from '../core/subject-token.js';
import { toPipelineContext, type PipelineStep, type PipelineContext } from '../core/pipeline-context.js';
import { isPublicRoute } from '../core/public-route.js';
import type { Settings, UpstreamSettings } from '../config/settings.js';
import { ClientCertificateService } from './binding/client-certificate.service.js';
import { readCredential } from './credential.js';
import { SenderBinding } from './binding/sender-binding.js';
import { TokenVerifier } from './verify/token-verifier.js';

@Injectable()
export class BearerGuard implements CanActivate, PipelineStep {
  private readonly holdsTokens: boolean;

  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: TokenVerifier,
    private readonly binding: SenderBinding,
    private readonly certificates: ClientCertificateService,
    config: ConfigService<Settings, true>,
  ) {
    this.holdsTokens = config.get('upstreams', { infer: true }).list.some(exchangesTokens);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!isPublicRoute(this.reflector, context)) await this.handle(toPipelineContext(context));
    return true;
  }

  async handle({
    requestContext,
    request,
    response,
    target,
    queryKeys,
    byProxy,
  }: PipelineContext): Promise<void> {
    const { scheme, token } = readCredential(headerValues(request, 'authorization'), queryKeys);
    requestContext.scheme = scheme;
    if (scheme === 'DPoP') this.sendNonce(response);
    try {
      requestContext.principal = await this.verifier.verify({
        scheme,
        token,
        request: { method: request.method ?? '', path: target.split('?', 1)[0] ?? '' },
        proofs: headerValues(request, 'dpop'),
        certificate: () => this.certificates.of(request, byProxy),
      });
      if (this.holdsTokens) requestContext.heldToken = new SubjectToken(token);
    } finally {
      requestContext.clock?.mark('authentication');
    }
  }

  /** RFC 9449 section 8.2: every response may carry the nonce for the next proof. */
  private sendNonce(response: ServerResponse): void {
    const nonce = this.binding.nonce();
    if (nonce !== undefined) response.setHeader('dpop-nonce', nonce);
  }
}

/** True for an upstream whose calls need a token exchanged from that of the caller. */
function exchangesTokens(upstream: UpstreamSettings): boolean {
  return (
    upstream.transport === 'http' &&
    (upstream.auth?.method === 'token_exchange' || upstream.auth?.method === 'id_jag')
  );
}
