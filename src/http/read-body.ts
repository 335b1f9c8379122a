/** Reads a request body into one JSON object, with limits of size and shape. */
import type { IncomingMessage } from 'node:http';
import getRawBody from 'raw-body';
import { malformedRequest, type AppError } from '../core/app-error.js';
import type { JsonObject } from '../lib/json.js';
import { RpcCode } from '../core/rpc-code.js';
export const MAX_BODY_BYTES = 1024 * 1024;
export const MAX_DEPTH = 64;
/** Keys of one object, and objects and arrays in total: the validation against a class is not linear in either. */
const MAX_KEYS = 1_000;
const MAX_NODES = 10_000;

/** Without state between bodies. */
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Error code of Node.js for a slow request (`UnreadableRequests`). */
export const TOO_SLOW = 'ERR_HTTP_REQUEST_TIMEOUT';

const HOSTILE_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

export type Body =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly value: unknown; readonly fault: AppError };

/** Bytes of a body, or a fault. */
export type Bytes =
  { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly fault: AppError };

export async function readBody(request: IncomingMessage): Promise<Body> {
  const read = await readBytes(request, 'application/json', MAX_BODY_BYTES);
  return read.ok ? parseBody(read.bytes) : { ...read, value: undefined };
}

/** @param type required media type; parameters are ignored. */
export async function readBytes(request: IncomingMessage, type: string, limit: number): Promise<Bytes> {
  const given = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity') return fault('A compressed body is not accepted', { status: 415 });
  try {
    const bytes = await getRawBody(request, { length: request.headers['content-length'], limit });
    return given === type ? { ok: true, bytes } : fault(`Content-Type must be ${type}`, { status: 415 });
  } catch (error) {
    if ((error as { type?: string }).type === 'entity.too.large') {
      return fault(`The body is larger than ${limit} bytes`, {
        status: 413,
        headers: { connection: 'close' },
      });
    }
    if ((error as { code?: string }).code === TOO_SLOW) {
      return fault('The body did not come in time', { status: 408, headers: { connection: 'close' } });
    }
    return fault('The body could not be read', { cause: error, headers: { connection: 'close' } });
  }
}

/** Pure part of {@link readBody}. */
export function parseBody(bytes: Uint8Array): Body {
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(bytes));
  } catch (error) {
    return fault('The body is not JSON', { rpcCode: RpcCode.ParseError, cause: error });
  }
  if (Array.isArray(value)) return fault('Batches are not accepted: send one message');
  if (typeof value !== 'object' || value === null) return fault('The body is not a JSON object');
  const problem = hostileShape(value);
  return problem ? { ...fault(problem), value } : { ok: true, value: value as JsonObject };
}

/** Fault in the shape of a value. Not recursive, because it limits the depth. */
function hostileShape(root: object): string | undefined {
  let level: object[] = [root];
  let nodes = 0;
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return `The body nests deeper than ${MAX_DEPTH} levels`;
    const next: object[] = [];
    nodes += level.length;
    if (nodes > MAX_NODES) return `The body has more than ${MAX_NODES} objects and lists`;
    for (const node of level) {
      if (Array.isArray(node)) {
        for (const value of node) if (typeof value === 'object' && value !== null) next.push(value as object);
        continue;
      }
      const keys = Object.keys(node);
      if (keys.length > MAX_KEYS) return `The body has an object with more than ${MAX_KEYS} keys`;
      for (const key of keys) {
        if (HOSTILE_KEYS.has(key)) return 'The body has a key that is not accepted';
        const value = (node as JsonObject)[key];
        if (typeof value === 'object' && value !== null) next.push(value);
      }
    }
    level = next;
  }
  return undefined;
}

function fault(
  message: string,
  options: Parameters<typeof malformedRequest>[1] = {},
): Extract<Body, { ok: false }> {
  return { ok: false, value: undefined, fault: malformedRequest(message, options) };
}
