/** The absolute form of a request target (RFC 9112 section 3.2.2), which every server must take. Pure. */
import type { GateRequest, TargetOrigin } from '../core/request-context.js';

const ABSOLUTE = /^(https?):\/\/([^/?#\\@]+)([/?][^#]*)?$/i;

/** @returns undefined for every other form, for a URL that is not http, and for one with user information. */
export function readAbsoluteTarget(
  target: string,
): { readonly origin: TargetOrigin; readonly path: string } | undefined {
  const [, scheme, authority, rest = ''] = ABSOLUTE.exec(target) ?? [];
  if (scheme === undefined || authority === undefined) return undefined;
  return {
    origin: { scheme: scheme.toLowerCase() as TargetOrigin['scheme'], authority },
    path: rest.startsWith('/') ? rest : `/${rest}`,
  };
}

/** Gives the request the origin form of its target; every later step sees that one, and the origin beside it. */
export function toOriginForm(request: GateRequest & { url?: string | undefined }): void {
  // Nearly all requests have the origin form.
  if (request.url === undefined || request.url.startsWith('/')) return;
  const absolute = readAbsoluteTarget(request.url);
  if (!absolute) return;
  request.url = absolute.path;
  request.targetOrigin = absolute.origin;
}
