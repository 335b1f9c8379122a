/** Trace context of a request (W3C Trace Context): from `_meta` of the message, otherwise from the header. Pure. */
import type { JsonObject } from '../lib/json.js';
import type { Trace } from './request-context.js';

/** Version, trace id, parent id, flags. Later versions may append fields, which are not forwarded. */
const TRACEPARENT = /^((?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-[\da-f]{2})(-|$)/;
const NONE = /^0+$/;

/** @returns undefined without a valid trace context. */
export function traceOf(meta: JsonObject | undefined, header: string | undefined): Trace | undefined {
  const fromMeta = typeof meta?.traceparent === 'string' ? meta.traceparent : undefined;
  const [, traceparent, id, parent] = TRACEPARENT.exec(fromMeta ?? header ?? '') ?? [];
  if (!traceparent || !id || !parent || NONE.test(id) || NONE.test(parent)) return undefined;
  return { id, traceparent };
}
