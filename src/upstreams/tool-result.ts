/** What an upstream answered, as a result that every client can read. Pure. */
import type { JsonObject } from '../common/exchange.js';
import { UpstreamError } from './upstream-error.js';

/** What comes later is recursive, here and at clients. */
const MAX_DEPTH = 200;

const isText = (value: unknown) => typeof value === 'string';

/** What each kind of content must have (MCP 2026-07-28, server/tools, "Tool Result"). */
const KINDS: Readonly<Record<string, (part: JsonObject) => boolean>> = {
  text: ({ text }) => isText(text),
  image: ({ data, mimeType }) => isText(data) && isText(mimeType),
  audio: ({ data, mimeType }) => isText(data) && isText(mimeType),
  resource_link: ({ uri, name }) => isText(uri) && isText(name),
  resource: ({ resource }) =>
    isObject(resource) && isText(resource.uri) && (isText(resource.text) || isText(resource.blob)),
};

/**
 * Everything as it came, but for content of a kind that the revision does not have, or that lacks a part of its kind: that is
 * shown as its JSON, since clients refuse a whole result for it.
 * @throws UpstreamError `refused` where it is no result of a tool.
 */
export function toToolResult(answer: JsonObject): JsonObject {
  const { content, structuredContent, isError } = answer;
  if (!Array.isArray(content) || !content.every(isObject) || structuredContent === null) throw noResult();
  if (isError !== undefined && typeof isError !== 'boolean') throw noResult();
  if (nestsTooDeep(answer)) throw noResult();
  const isKnown = (part: JsonObject) =>
    Object.hasOwn(KINDS, String(part.type)) && KINDS[String(part.type)]?.(part) === true;
  if (content.every(isKnown)) return answer;
  return {
    ...answer,
    content: content.map((part) => (isKnown(part) ? part : { type: 'text', text: JSON.stringify(part) })),
  };
}

function nestsTooDeep(root: object): boolean {
  let level: object[] = [root];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true;
    level = level
      .flatMap((node) => Object.values(node) as unknown[])
      .filter((inner): inner is object => typeof inner === 'object' && inner !== null);
  }
  return false;
}

function noResult(): UpstreamError {
  return new UpstreamError('refused', 'its answer is no result of a tool');
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
