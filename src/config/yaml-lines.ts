/** Finds the line of a place such as `rules[2].scopes` in a YAML text. Pure. */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';

/**
 * Parses the text on the first call.
 * @returns a function from a place (without `: `) to its line, or to the line of its nearest ancestor.
 */
export function linesOf(text: string): (place: string) => number {
  const counter = new LineCounter();
  let document: ReturnType<typeof parseDocument> | undefined;
  const lineAt = (offset: number) => counter.linePos(offset).line;
  return (place) => {
    document ??= parseDocument(text, { lineCounter: counter });
    let node = document.contents as Node | null;
    let rest = place.replace(/: ?$/, '');
    let line = node?.range ? lineAt(node.range[0]) : 1;
    while (node && rest !== '') {
      const step: Step | undefined = isSeq(node) ? intoList(node.items as Node[], rest) : intoMap(node, rest);
      if (!step) break;
      if (step.offset !== undefined) line = lineAt(step.offset);
      node = step.node;
      rest = step.rest;
    }
    return line;
  };
}

interface Step {
  readonly node: Node | null;
  readonly offset: number | undefined;
  readonly rest: string;
}

function intoList(items: readonly Node[], rest: string): Step | undefined {
  const [whole, index] = /^\[(\d+)\]\.?/.exec(rest) ?? [];
  const node = index === undefined ? undefined : items[Number(index)];
  return node && { node, offset: node.range?.[0], rest: rest.slice(whole?.length) };
}

/** Names may contain dots: the longest match counts. */
function intoMap(node: Node, rest: string): Step | undefined {
  if (!isMap(node)) return undefined;
  const fitting = node.items
    .flatMap(({ key, value }) => (isScalar(key) ? [{ key, name: String(key.value), value }] : []))
    .filter(({ name }) => rest === name || rest.startsWith(`${name}.`) || rest.startsWith(`${name}[`))
    .sort((a, b) => b.name.length - a.name.length)[0];
  if (!fitting) return undefined;
  const behind = rest.slice(fitting.name.length);
  return {
    node: fitting.value as Node | null,
    offset: fitting.key.range?.[0],
    rest: behind.startsWith('.') ? behind.slice(1) : behind,
  };
}
