/** First revision of each kind of content (MCP, server/tools, "Tool Result"). */
import type { JsonObject } from '../lib/json.js';
const SINCE: Readonly<Record<string, string>> = { audio: '2025-03-26', resource_link: '2025-06-18' };

/**
 * Removes content that the client would not know: it would reject the whole result. @param revision declared by the
 * client.
 */
export function adaptToRevision(result: JsonObject, revision: string): JsonObject {
  const { content } = result;
  if (!Array.isArray(content)) return result;
  const isNew = (part: JsonObject) => revision < (SINCE[String(part.type)] ?? '');
  if (!(content as JsonObject[]).some(isNew)) return result;
  return {
    ...result,
    content: (content as JsonObject[]).map((part) =>
      isNew(part) ? { type: 'text', text: inWords(part) } : part,
    ),
  };
}

function inWords({ type, name, uri, mimeType }: JsonObject): string {
  if (type === 'audio') return `[audio, ${String(mimeType)}]`;
  return typeof name === 'string' ? `${name}: ${String(uri)}` : String(uri);
}
