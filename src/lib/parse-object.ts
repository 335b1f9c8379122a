/** JSON from a file that may have been damaged. Pure. */
import type { JsonObject } from '../core/request-context.js';

/** Undefined where the text is no JSON, or JSON of something else than an object. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}
