/** Absolute form of a request target (RFC 9112 section 3.2.2). Pure. */
import type { GateRequest, TargetOrigin } from '../core/request-context.js';

const ABSOLUTE = /^(https?):\/\/([^/?#\\@]+)([/?][^#]*)?$/i;

/** @returns undefined for other forms, for other schemes than http(s), and for a URL with user information. */
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

/** Replaces an absolute target by its origin form and keeps its origin separately. */
export function toOriginForm(request: GateRequest & { url?: string | undefined }): void {
  // Usual form.
  if (request.url === undefined || request.url.startsWith('/')) return;
  const absolute = readAbsoluteTarget(request.url);
  if (!absolute) return;
  request.url = absolute.path;
  request.targetOrigin = absolute.origin;
}
