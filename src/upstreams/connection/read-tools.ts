/** Reads the tool list of an upstream: safe tools, and faults of the others. Pure. */
import { TARGET_NAME } from '../../core/patterns.js';
import { digestOf } from '../../lib/canonical-json.js';
import { referredTo } from '../../lib/json-pointer.js';
import { quote } from '../../lib/format-text.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';

/** Tool of an upstream: shown, pinned and compared definition. */
export interface UpstreamTool {
  /** Name at the upstream. */
  readonly name: string;
  /** Name, title, description, schemas and annotations, unchanged; other members are dropped. */
  readonly definition: JsonObject;
  /** SHA-256 of the canonical JSON of the definition. */
  readonly digest: string;
}

export interface ReadTools {
  readonly tools: readonly UpstreamTool[];
  /** One sentence per omitted tool. */
  readonly faults: readonly string[];
}

const SHOWN = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations'] as const;
const MAX_BYTES = 256 * 1024;
const MAX_TEXT = 16 * 1024;
const MAX_DEPTH = 64;
const MAX_NODES = 20_000;

export function readTools(listed: readonly unknown[]): ReadTools {
  const tools = new Map<string, UpstreamTool>();
  const faults: string[] = [];
  const twice = new Set<string>();
  for (const raw of listed) {
    const read = readTool(raw);
    if (typeof read === 'string') faults.push(read);
    else if (tools.has(read.name)) twice.add(read.name);
    else tools.set(read.name, read);
  }
  for (const name of twice) {
    // Two tools with one name are ambiguous, so both are omitted.
    tools.delete(name);
    faults.push(`${name}: is listed more than once`);
  }
  return { tools: [...tools.values()], faults };
}

function readTool(raw: unknown): UpstreamTool | string {
  if (!isJsonObject(raw)) return 'an entry of the list is not an object';
  const { name } = raw;
  if (typeof name !== 'string' || !TARGET_NAME.test(name))
    return `${quote(String(name).slice(0, 40))}: is not a valid tool name`;
  const shown = SHOWN.filter((member) => raw[member] !== undefined && raw[member] !== null);
  const definition = Object.fromEntries(shown.map((member) => [member, raw[member]]));
  const fault = faultOf(raw, definition);
  if (fault !== undefined) return `${name}: ${fault}`;
  return { name, definition, digest: digestOf(definition) };
}

/** @param definition its shown part. */
function faultOf(raw: JsonObject, definition: JsonObject): string | undefined {
  for (const member of ['title', 'description'] as const) {
    const text = raw[member];
    if (text === undefined || text === null) continue;
    if (typeof text !== 'string') return `its ${member} is not a string`;
    if (text.length > MAX_TEXT) return `its ${member} is longer than ${MAX_TEXT} characters`;
  }
  for (const member of ['inputSchema', 'outputSchema', 'annotations'] as const) {
    const value = raw[member];
    const problem = typeof value === 'object' && value !== null ? shapeFault(value) : undefined;
    if (problem !== undefined) return `its ${member} ${problem}`;
  }
  const { inputSchema, execution } = raw;
  if (inputSchema !== undefined && inputSchema !== null && !isJsonObject(inputSchema))
    return 'its inputSchema is not an object';
  if (!isJsonObject(inputSchema) || !isOfObject(inputSchema))
    return 'its inputSchema is not the schema of an object';
  if (isJsonObject(execution) && execution.taskSupport === 'required')
    return 'it can be called as a task only';
  const problem = referenceFault(inputSchema);
  if (problem !== undefined) return `its inputSchema ${problem}`;
  if (JSON.stringify(definition).length > MAX_BYTES) return `it is larger than ${MAX_BYTES} bytes`;
  return undefined;
}

/** Breadth first: later code is recursive, and this check limits the depth. */
function shapeFault(root: object): string | undefined {
  let level: object[] = [root];
  let nodes = 0;
  for (let depth = 1; level.length > 0; depth++) {
    nodes += level.length;
    if (depth > MAX_DEPTH) return `nests deeper than ${MAX_DEPTH} levels`;
    if (nodes > MAX_NODES) return `has more than ${MAX_NODES} parts`;
    if (level.some((node) => Object.hasOwn(node, '__proto__'))) return 'has a member named __proto__';
    level = level
      .flatMap((node) => Object.values(node) as unknown[])
      .filter((inner): inner is object => typeof inner === 'object' && inner !== null);
  }
  return undefined;
}

/** A client that compiles the schema rejects the whole list for an unresolvable or remote reference. */
function referenceFault(root: JsonObject): string | undefined {
  const anchors = new Set<unknown>();
  const references: string[] = [];
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const node = pending.pop();
    if (typeof node !== 'object' || node === null) continue;
    const { $anchor, $dynamicAnchor, $id, $ref, $dynamicRef } = node as JsonObject;
    for (const anchor of [$anchor, $dynamicAnchor]) if (typeof anchor === 'string') anchors.add(`#${anchor}`);
    if (typeof $id === 'string' && $id.startsWith('#')) anchors.add($id);
    for (const reference of [$ref, $dynamicRef])
      if (typeof reference === 'string') references.push(reference);
    pending.push(...(Object.values(node) as unknown[]));
  }
  for (const reference of references) {
    if (!reference.startsWith('#')) return 'refers to an external schema';
    if (!anchors.has(reference) && !isSchema(referredTo(root, reference))) return 'refers to a missing part';
  }
  return undefined;
}

/** Arguments are always an object: a schema that also allows null, or has no type, allows objects. */
function isOfObject({ type, properties }: JsonObject): boolean {
  if (type === undefined || type === null) return isJsonObject(properties);
  return type === 'object' || (Array.isArray(type) && type.includes('object'));
}

function isSchema(value: unknown): boolean {
  return typeof value === 'object' || typeof value === 'boolean';
}
