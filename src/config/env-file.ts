/** Strict reader of `.env` files: it rejects the file, with a line number, if a line would have no effect. */

export interface EnvFileEntry {
  readonly name: string;
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/** Faults contain line numbers only: a line may hold a secret. */
export type EnvFile =
  | { readonly ok: true; readonly entries: readonly EnvFileEntry[] }
  | { readonly ok: false; readonly faults: readonly string[] };

const MAX_FAULTS = 20;
const BYTE_ORDER_MARK = '\u{feff}';
/** C0 without tab, DEL, C1, and the separators that some editors show as a line break. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/;
const QUOTES = ['"', "'", '`'];

class LineFault extends Error {}

/**
 * Reads `NAME=value`, `export NAME=value`, comments and blank lines. UTF-8, with or without a byte order mark; lines
 * end with LF, CR LF or CR. A value may be in double quotes, single quotes or backticks on one line; quoted text is
 * literal. An unquoted value ends before white space followed by `#`. No expansion. Rejects repeated names, lines
 * without `=`, escapes and control characters.
 */
export function readEnvFile(bytes: Uint8Array): EnvFile {
  const encoding = otherEncoding(bytes);
  if (encoding) return { ok: false, faults: [`the file is ${encoding}: save it as UTF-8`] };
  const text = Buffer.from(bytes).toString('utf8');
  const isUtf8 = Buffer.from(text, 'utf8').equals(bytes);
  const lines = (text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text).split(/\r\n|\n|\r/);
  const entries = new Map<string, EnvFileEntry>();
  const faults: string[] = [];
  for (const [index, line] of lines.entries()) {
    try {
      if (!isUtf8 && line.includes('\u{fffd}')) throw new LineFault('is not UTF-8');
      const setting = readLine(line);
      if (!setting) continue;
      const earlier = entries.get(setting.name)?.line;
      if (earlier !== undefined) throw new LineFault(`sets ${setting.name} again, after line ${earlier}`);
      entries.set(setting.name, { ...setting, line: index + 1 });
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      faults.push(`line ${index + 1} ${error.message}`);
    }
  }
  if (faults.length === 0) return { ok: true, entries: [...entries.values()] };
  const more = faults.length - MAX_FAULTS;
  return {
    ok: false,
    faults: more > 0 ? [...faults.slice(0, MAX_FAULTS), `${more} more lines have faults`] : faults,
  };
}

/** Name of another encoding, by its byte order mark. */
function otherEncoding([first, second, third, fourth]: Uint8Array): string | undefined {
  if (first === 0xff && second === 0xfe) return third === 0 && fourth === 0 ? 'UTF-32' : 'UTF-16';
  if (first === 0xfe && second === 0xff) return 'UTF-16';
  return first === 0 && second === 0 && third === 0xfe && fourth === 0xff ? 'UTF-32' : undefined;
}

/** @returns undefined for a blank line or a comment. */
function readLine(line: string): { name: string; value: string } | undefined {
  if (line.includes('\0'))
    throw new LineFault('holds a NUL character: save the file as UTF-8, not as UTF-16');
  if (CONTROL.test(line)) throw new LineFault('holds a control character');
  const content = trimBlanks(line);
  if (content === '' || content.startsWith('#')) return undefined;
  const equals = content.indexOf('=');
  if (equals < 0) throw new LineFault('has no "=": write NAME=value, and begin a comment with #');
  const name = trimBlanks(content.slice(0, equals).replace(/^export[ \t]+/, ''));
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name === 'export') {
    throw new LineFault('has a name that is not made of the letters a to z and A to Z, digits and _');
  }
  return { name, value: readValue(content.slice(equals + 1)) };
}

/** @param text the line after `=`, without trailing blanks. */
function readValue(text: string): string {
  const value = trimBlanks(text);
  if (value.startsWith('#')) {
    if (value !== text) return '';
    throw new LineFault('has a value that begins with #: put the value in quotes, or leave the line out');
  }
  const quote = QUOTES.find((one) => value.startsWith(one));
  if (quote !== undefined) return readQuoted(value, quote);
  const comment = /[ \t]+#/.exec(value);
  if (!comment) return value;
  const before = value.slice(0, comment.index);
  if (QUOTES.some((one) => before.includes(one))) {
    throw new LineFault('has a quote within a value and a # behind it: put the whole value in quotes');
  }
  return before;
}

function readQuoted(value: string, quote: string): string {
  const end = value.indexOf(quote, 1);
  if (end < 0) throw new LineFault('has a quote that does not end on the same line');
  const [inside, behind] = [value.slice(1, end), value.slice(end + 1)];
  // Readers of .env files differ on escapes.
  if (quote === '"' && inside.includes('\\')) {
    throw new LineFault('has a backslash in double quotes: use single quotes, where it is literal');
  }
  if (behind !== '' && !/^[ \t]+#/.test(behind)) {
    throw new LineFault('has text behind the closing quote: only a space and a # comment may follow');
  }
  return inside;
}

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
