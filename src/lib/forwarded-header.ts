/** The `Forwarded` header (RFC 7239), read from its end: a trusted proxy appends its own element there. Pure. */

export interface ForwardedElement {
  /** The node that the proxy saw, unquoted. */
  readonly for: string | undefined;
  /** In lower case. */
  readonly proto: string | undefined;
}

const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
/** Values without quotes may hold `:` and brackets, which some proxies forget to quote. */
const PAIR = new RegExp(`^(${TOKEN})=(?:"([^"\\\\]*)"|([\\w!#$%&'*+.^\`|~:\\[\\]-]+))$`);

/**
 * The elements from the last to the first. Undefined stands for one that is malformed; what is left of it cannot be
 * told apart and is not read.
 */
export function* forwardedElements(header: string): Generator<ForwardedElement | undefined> {
  let end = header.length;
  while (end >= 0) {
    const start = elementStart(header, end);
    const text = header.slice(start, end).trim();
    end = start - 1;
    // RFC 9110 section 5.6.1.2: empty elements of a list do not count.
    if (text === '') continue;
    const element = readElement(text);
    yield element;
    if (!element) return;
  }
}

/** Where the element begins that ends here: behind the last comma outside of quotes. */
function elementStart(header: string, end: number): number {
  let isQuoted = false;
  for (let at = end - 1; at >= 0; at--) {
    const character = header[at];
    if (character === '"') isQuoted = !isQuoted;
    else if (character === ',' && !isQuoted) return at + 1;
  }
  return 0;
}

function readElement(text: string): ForwardedElement | undefined {
  const values = new Map<string, string>();
  for (const part of text.split(';')) {
    const pair = part.trim();
    if (pair === '') continue;
    const [, name, quoted, plain] = PAIR.exec(pair) ?? [];
    const key = name?.toLowerCase();
    // RFC 7239 section 4: each parameter at most once.
    if (key === undefined || values.has(key)) return undefined;
    values.set(key, quoted ?? plain ?? '');
  }
  return { for: values.get('for'), proto: values.get('proto')?.toLowerCase() };
}
