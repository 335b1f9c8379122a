/** Serializes simple answers exactly like the SDK; leaves others to the SDK. Pure. */
import type { Message, RequestId } from '../../core/request-context.js';
import { SERVER_INFO_META_KEY } from '../../core/mcp-types.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { renderToolFailure } from '../../tools/render-result.js';
import type { Invoked } from '../../tools/tool-invoker.js';
import { adaptToRevision } from '../adapt-to-revision.js';
import type { TokenRevokedError } from '../token-revoked-error.js';

const TEXT_MEMBERS = 2;
const RESULT_MEMBERS = new Set(['content', 'structuredContent']);

export class FastPathSerializer {
  private readonly meta: JsonObject;
  /** Last members of a result, by era and method. */
  private readonly resultSuffix: { readonly call: string; readonly list: string };

  /** @param serverInfo server information of every modern result. */
  constructor(serverInfo: JsonObject) {
    this.meta = { [SERVER_INFO_META_KEY]: serverInfo };
    const identity = `"_meta":${JSON.stringify(this.meta)}`;
    this.resultSuffix = {
      call: `,"resultType":"complete",${identity}`,
      list: `,"resultType":"complete","ttlMs":0,"cacheScope":"private",${identity}`,
    };
  }

  /** @param entries serialized tools. */
  list({ id, era }: Message, entries: string): string {
    return jsonRpcResult(id, `{"tools":[${entries}]${era === 'modern' ? this.resultSuffix.list : ''}}`);
  }

  /** @returns undefined for results that the SDK must serialize: other content than text, and input requests. */
  call(message: Message, invoked: Invoked, decisionId: string): string | undefined {
    const text = this.answer(message, invoked, decisionId);
    // The SDK removes this member, because clients fail on it.
    return text?.includes('"__proto__"') ? undefined : text;
  }

  private answer(message: Message, invoked: Invoked, decisionId: string): string | undefined {
    const { id, era } = message;
    if (invoked.kind === 'failure') return jsonRpcResult(id, this.failure(era, invoked.message, decisionId));
    if (invoked.kind !== 'result') return undefined;
    if (invoked.passThrough) return this.whole(message, invoked.result);
    if (!isPlainResult(invoked.result)) return undefined;
    const { content, structuredContent } = invoked.result;
    const texts = content.map(({ text }) => `{"type":"text","text":${JSON.stringify(text)}}`);
    const structured =
      structuredContent === undefined ? '' : `,"structuredContent":${JSON.stringify(structuredContent)}`;
    const resultSuffix = era === 'modern' ? this.resultSuffix.call : '';
    return jsonRpcResult(id, `{"content":[${texts.join(',')}]${structured}${resultSuffix}}`);
  }

  /** Result of an upstream with all members; the SDK would drop unknown ones. */
  private whole({ id, era, revision }: Message, result: JsonObject): string | undefined {
    const { structuredContent } = result;
    // Older revisions accept only an object here.
    if (structuredContent !== undefined && !isJsonObject(structuredContent)) return undefined;
    if (era === 'legacy') {
      return jsonRpcResult(
        id,
        JSON.stringify(revision === undefined ? result : adaptToRevision(result, revision)),
      );
    }
    const { _meta: theirs, ...rest } = result;
    const _meta = { ...(theirs as JsonObject | undefined), ...this.meta };
    return jsonRpcResult(id, JSON.stringify({ ...rest, resultType: 'complete', _meta }));
  }

  /** Error for a revoked call: its result is withheld. */
  withheld({ id }: Message, { code, message, data }: TokenRevokedError): string {
    return JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, data } });
  }

  private failure(era: Message['era'], message: string, decisionId: string): string {
    const { content, isError, _meta } = renderToolFailure(message, decisionId);
    return JSON.stringify(
      era === 'modern'
        ? { _meta: { ...(_meta as JsonObject), ...this.meta }, content, isError, resultType: 'complete' }
        : { _meta, content, isError },
    );
  }
}

function jsonRpcResult(id: RequestId | null, result: string): string {
  return `{"result":${result},"jsonrpc":"2.0","id":${JSON.stringify(id)}}`;
}

/** True for texts and an object with the same content. */
function isPlainResult(result: JsonObject): result is { content: { text: string }[] } & JsonObject {
  for (const name in result) if (!RESULT_MEMBERS.has(name)) return false;
  const { content, structuredContent } = result;
  if (!Array.isArray(content)) return false;
  if (structuredContent !== undefined && !isJsonObject(structuredContent)) return false;
  return content.every(
    (one: unknown) =>
      isJsonObject(one) &&
      one.type === 'text' &&
      typeof one.text === 'string' &&
      Object.keys(one).length === TEXT_MEMBERS,
  );
}
