/** Gives an answer of the SDK the form that its client accepts. */
import type { AnswerForm } from '../core/request-context.js';

const JSON_TYPE = 'application/json';
const STREAM_TYPE = 'text/event-stream';
const STREAM_HEADERS = { 'content-type': STREAM_TYPE, 'cache-control': 'no-cache, no-transform' };
/** The client is gone, and its stream ended without an answer. */
const NO_ANSWER = 499;

/**
 * @param form `json`: a stream becomes its last message, which is the answer; notifications before it are dropped.
 *   `events`: a document becomes a stream of one event. Errors with a status of their own stay JSON documents.
 */
export async function inForm(response: Response, form: AnswerForm): Promise<Response> {
  const type = response.headers.get('content-type') ?? '';
  if (form === 'json' && type.startsWith(STREAM_TYPE)) {
    const answer = lastMessage(await response.text());
    return answer === undefined
      ? new Response(null, { status: NO_ANSWER })
      : new Response(answer, { status: response.status, headers: { 'content-type': JSON_TYPE } });
  }
  if (form === 'events' && response.status === 200 && type.startsWith(JSON_TYPE)) {
    const text = `event: message\ndata: ${await response.text()}\n\n`;
    return new Response(text, { status: response.status, headers: STREAM_HEADERS });
  }
  return response;
}

/** The data of the last event: one line of JSON, as the SDK writes it. */
function lastMessage(stream: string): string | undefined {
  const line = stream.split('\n').findLast((one) => one.startsWith('data: '));
  return line?.slice('data: '.length);
}
