/** Converts an SDK response to the form that the client accepts. */
import type { AnswerForm } from '../core/request-context.js';

const JSON_TYPE = 'application/json';
const STREAM_TYPE = 'text/event-stream';
const STREAM_HEADERS = { 'content-type': STREAM_TYPE, 'cache-control': 'no-cache, no-transform' };
/** The client disconnected before the answer. */
const NO_ANSWER = 499;

/**
 * @param form `json`: the last message of a stream, which is the answer; earlier notifications are dropped. `events`:
 * a stream of one event. Error documents are unchanged.
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

/** Data of the last event, one line of JSON as the SDK writes it. */
function lastMessage(stream: string): string | undefined {
  const line = stream.split('\n').findLast((one) => one.startsWith('data: '));
  return line?.slice('data: '.length);
}
