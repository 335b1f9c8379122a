/** Applies {@link tolerant} to the messages of HTTP bodies: JSON, or each event of a stream. */
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { mayNeedTolerance, tolerant } from './tolerant-message.js';

/** @returns the JSON of a message; unchanged text without a known deviation. */
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

/** HTML, "Server-sent events": an empty line ends an event; an incomplete event at the end is dropped. */
export function tolerantEvents(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  /** Lines of the current event, and parts of its last line. */
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
      // A comment does not belong to an event and may be endless.
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

/** @param lines of one event. @returns lines with one data line if its message changed. */
function tolerantEvent(lines: readonly string[]): readonly string[] {
  const isData = (line: string) => line.startsWith('data:');
  const json = lines
    .filter(isData)
    .map((line) => line.slice('data:'.length))
    .join('\n');
  const changed = tolerantJson(json);
  return changed === json ? lines : [...lines.filter((line) => !isData(line)), `data: ${changed}`];
}
