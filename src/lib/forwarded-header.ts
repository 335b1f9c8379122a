/** Reads the `Forwarded` header (RFC 7239) from its end, where a trusted proxy appends its element. Pure. */

export interface ForwardedElement {
  /** Node that connected to the proxy, unquoted. */
  readonly for: string | undefined;
  /** Lower case. */
  readonly proto: string | undefined;
}

const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
/** Unquoted values may contain `:` and brackets, which some proxies do not quote. */
const PAIR = new RegExp(`^(${TOKEN})=(?:"([^"\\\\]*)"|([\\w!#$%&'*+.^\`|~:\\[\\]-]+))$`);

/** Elements from the last to the first. Undefined for a malformed element; earlier elements are then not read. */
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

/** Start of the element that ends at `end`: after the last comma outside of quotes. */
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
