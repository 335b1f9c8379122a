/** Checks Host and Origin against DNS rebinding (MCP, streamable HTTP, "Security Warning"). */
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { ServerResponse } from 'node:http';
import { AppError, malformedRequest } from '../core/app-error.js';
import type { GateRequest, TargetOrigin } from '../core/request-context.js';
import { CONTRADICTION, headerValues, singleValue } from '../core/header-values.js';
import { withoutRootDot } from '../lib/root-dot.js';
import { toPipelineContext, type PipelineStep, type PipelineContext } from '../core/pipeline-context.js';
import type { ServerSettings, Settings } from '../config/settings.js';

@Injectable()
export class OriginGuard implements CanActivate, PipelineStep {
  private readonly settings: ServerSettings;

  constructor(config: ConfigService<Settings, true>) {
    this.settings = config.get('server', { infer: true });
  }

  /** Only the endpoint: discovery is public, and probes use any host name. */
  canActivate(context: ExecutionContext): boolean {
    const { requestContext } = context.switchToHttp().getRequest<GateRequest>();
    if (requestContext) this.handle(toPipelineContext(context));
    return true;
  }

  /** @throws AppError for a rejected host or origin. */
  handle(pipelineContext: PipelineContext): void {
    const { request, response, target, targetOrigin } = pipelineContext;
    const origin = singleValue(request, 'origin');
    if (!target.startsWith('/')) throw malformedRequest('The request target must be a path');
    // RFC 9112 section 3.2: repeated Host headers are ambiguous.
    const [host, ...more] = headerValues(request, 'host');
    if (more.length > 0 || !isAllowedHost(host, this.settings.allowedHosts)) {
      throw rejected('The Host is not allowed');
    }
    // RFC 9112 section 3.2.2: an absolute target replaces Host. A proxy may have used either, so both must be
    // allowed.
    if (targetOrigin && !isAllowedHost(targetOrigin.authority, this.settings.allowedHosts)) {
      throw rejected('The host of the request target is not allowed');
    }
    // Behind https a request without TLS on some hop is rejected: its token was visible to others.
    const isHttps = this.settings.publicUrl.startsWith('https:');
    if (isHttps && !pipelineContext.secure) throw rejected('This server requires HTTPS');
    if (targetOrigin && !isScheme(targetOrigin, isHttps, pipelineContext)) {
      throw rejected('The scheme of the request target differs from that of the connection');
    }
    if (origin === CONTRADICTION || !isAllowedOrigin(origin, this.settings.allowedOrigins)) {
      throw rejected('The Origin is not allowed');
    }
    if (origin !== undefined) allowCrossOrigin(response, origin);
  }
}

/** RFC 9110 section 7.4: https only on a secure connection, http only for an http server. */
function isScheme({ scheme }: TargetOrigin, isHttps: boolean, pipelineContext: PipelineContext): boolean {
  return scheme === 'https' ? pipelineContext.secure : !isHttps;
}

/** Usual form: a name, or an address in brackets, and a port. */
const PLAIN_HOST = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{0,5}))?$/i;
const HOST_CHARACTERS = /^[A-Za-z0-9.[\]:_-]+$/;
const MAX_PORT = 65_535;

/**
 * An entry without a port allows every port. A trailing dot of the host is ignored. @param allowed lower case,
 * without trailing dots.
 */
export function isAllowedHost(host: string | undefined, allowed: readonly string[]): boolean {
  if (host === undefined) return false;
  const [, name, port = ''] = PLAIN_HOST.exec(host) ?? [];
  if (name !== undefined && Number(port) <= MAX_PORT && isOn(allowed, name, host)) return true;
  // Other spellings of an address are normalized.
  if (!HOST_CHARACTERS.test(host) || !URL.canParse(`http://${host}`)) return false;
  return isOn(allowed, new URL(`http://${host}`).hostname, host);
}

function isOn(allowed: readonly string[], name: string, host: string): boolean {
  return (
    allowed.includes(withoutRootDot(name.toLowerCase())) ||
    allowed.includes(withoutRootDot(host.toLowerCase()))
  );
}

/** Requests without Origin do not come from a browser. `null` and unlisted origins are rejected. */
export function isAllowedOrigin(origin: string | undefined, allowed: readonly string[]): boolean {
  return origin === undefined || allowed.includes(origin.toLowerCase());
}

function allowCrossOrigin(response: ServerResponse, origin: string): void {
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader(
    'access-control-expose-headers',
    'WWW-Authenticate, Retry-After, X-Request-Id, DPoP-Nonce',
  );
  response.appendHeader('vary', 'Origin');
}

function rejected(message: string): AppError {
  return new AppError('origin_rejected', message, { status: 403 });
}
