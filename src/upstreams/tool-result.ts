/** Converts a result of an upstream to one that every client can read. Pure. */
import { isContent, isToolResult, SERVER_INFO_META_KEY } from '../core/mcp-types.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import { UpstreamError } from './connection/upstream-error.js';

/** Later code is recursive, here and in clients. */
const MAX_DEPTH = 200;

/**
 * Keeps the result, without server information. Content of an unknown or incomplete kind becomes JSON text, since
 * clients reject a whole result for it.
 * @throws UpstreamError `refused` if it is neither a tool result nor an input request.
 */
export function toToolResult(given: JsonObject): JsonObject {
  const answer = withoutUnset(given);
  const { content, resultType = 'complete' } = answer;
  if (!Array.isArray(content) || !content.every(isJsonObject)) throw noResult();
  if (resultType !== 'complete' || nestsTooDeep(answer)) throw noResult();
  const readable = content.every(isContent)
    ? answer
    : {
        ...answer,
        content: content.map((part) =>
          isContent(part) ? part : { type: 'text', text: JSON.stringify(part) },
        ),
      };
  if (!isToolResult(readable)) throw noResult();
  return withoutServerInfo(withStructuredObject(readable));
}

/** Clients before 2026-07-28 reject structured content that is not an object; it becomes text. */
function withStructuredObject(result: JsonObject): JsonObject {
  const { structuredContent, ...rest } = result;
  if (structuredContent === undefined || isJsonObject(structuredContent)) return result;
  const text = JSON.stringify(structuredContent);
  const content = rest.content as readonly JsonObject[];
  return content.some((part) => part.text === text)
    ? rest
    : { ...rest, content: [...content, { type: 'text', text }] };
}

/** JSON-RPC 1 style: null means unset. */
function withoutUnset(answer: JsonObject): JsonObject {
  const unset = ['_meta', 'isError', 'structuredContent', 'resultType'].filter(
    (name) => answer[name] === null,
  );
  if (unset.length === 0) return answer;
  return Object.fromEntries(Object.entries(answer).filter(([name]) => !unset.includes(name)));
}

function withoutServerInfo(result: JsonObject): JsonObject {
  const { _meta } = result;
  if (!isJsonObject(_meta) || !Object.hasOwn(_meta, SERVER_INFO_META_KEY)) return result;
  const { [SERVER_INFO_META_KEY]: _said, ...rest } = _meta;
  return { ...result, _meta: rest };
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
  return new UpstreamError('refused', 'invalid result');
}
