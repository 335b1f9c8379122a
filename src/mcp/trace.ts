/** The trace id of a request (W3C Trace Context): from the message's `_meta` first, then from the header. Pure. */
import type { JsonObject } from '../common/exchange.js';

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/;

export function traceIdOf(meta: JsonObject | undefined, header: string | undefined): string | null {
  const fromMeta = typeof meta?.traceparent === 'string' ? meta.traceparent : undefined;
  const id = TRACEPARENT.exec(fromMeta ?? header ?? '')?.[1];
  return id === undefined || /^0+$/.test(id) ? null : id;
}
