/** The trace that a request belongs to (W3C Trace Context): from the message's `_meta` first, then from the header. Pure. */
import type { JsonObject } from '../lib/json.js';
import type { Trace } from './request-context.js';

/** Version, trace id, parent id, flags. Versions to come may have more behind them, which is not passed on. */
const TRACEPARENT = /^((?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-[\da-f]{2})(-|$)/;
const NONE = /^0+$/;

/** @returns undefined where there is none, or none that is valid. */
export function traceOf(meta: JsonObject | undefined, header: string | undefined): Trace | undefined {
  const fromMeta = typeof meta?.traceparent === 'string' ? meta.traceparent : undefined;
  const [, traceparent, id, parent] = TRACEPARENT.exec(fromMeta ?? header ?? '') ?? [];
  if (!traceparent || !id || !parent || NONE.test(id) || NONE.test(parent)) return undefined;
  return { id, traceparent };
}
