/** Bodies of HTTP answers, with their messages made {@link tolerant}: JSON as a whole, a stream of events event by event. */
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { mayNeedTolerance, tolerant } from './tolerant-message.js';

/** @returns the JSON of a message; the text itself where it is none, or needs nothing. */
export function tolerantJson(text: string): string {
  if (!mayNeedTolerance(text)) return text;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return text;
  }
  if (!isJsonObject(message)) return text;
  const changed = tolerant(message as JsonObject);
  return changed === message ? text : JSON.stringify(changed);
}

/** HTML, "Server-sent events": an event ends with an empty line; what is left at the end belongs to no event. */
export function tolerantEvents(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  /** Of the event that is being read: its lines, and the pieces of the last one. */
  let lines: string[] = [];
  let pieces: string[] = [];
  let wasCr = false;
  const take = (text: string, send: (event: string) => void) => {
    const isRest = wasCr && text.startsWith('\n');
    if (text !== '') wasCr = text.endsWith('\r');
    const parts = (isRest ? text.slice(1) : text).replace(/\r\n?/g, '\n').split('\n');
    const last = parts.pop() as string;
    for (const part of parts) {
      const line = [...pieces, part].join('');
      pieces = [];
      // A comment is no part of an event, and may go on for ever.
      if (line.startsWith(':')) continue;
      if (line !== '') lines.push(line);
      else {
        send(`${tolerantEvent(lines).join('\n')}\n\n`);
        lines = [];
      }
    }
    if (last !== '') pieces.push(last);
  };
  return new TransformStream({
    transform(chunk, controller) {
      take(decoder.decode(chunk, { stream: true }), (event) => controller.enqueue(encoder.encode(event)));
    },
    flush(controller) {
      controller.enqueue(encoder.encode([...lines, pieces.join('')].join('\n')));
    },
  });
}

/** @param lines of one event. @returns them with one line of data where its message needs that. */
function tolerantEvent(lines: readonly string[]): readonly string[] {
  const isData = (line: string) => line.startsWith('data:');
  const json = lines
    .filter(isData)
    .map((line) => line.slice('data:'.length))
    .join('\n');
  const changed = tolerantJson(json);
  return changed === json ? lines : [...lines.filter((line) => !isData(line)), `data: ${changed}`];
}
