import fc from 'fast-check';
import { readEnvFile } from './env-file.js';

const bytes = (text: string) => Buffer.from(text, 'utf8');

function settings(text: string): Record<string, string> {
  const read = readEnvFile(bytes(text));
  if (!read.ok) throw new Error(read.faults.join('\n'));
  return Object.fromEntries(read.entries.map(({ name, value }) => [name, value]));
}

function faults(file: string | Uint8Array): readonly string[] {
  const read = readEnvFile(typeof file === 'string' ? bytes(file) : file);
  return read.ok ? [] : read.faults;
}

/** One line in the documented format, written independently of the reader. */
const LINE =
  /^[ \t]*(?:export[ \t]+)?(?<name>(?!export\b)[A-Za-z_]\w*)[ \t]*=(?:[ \t]*(?:"(?<double>[^"\\]*)"|'(?<single>[^']*)'|`(?<tick>[^`]*)`)(?:[ \t]+#.*)?|[ \t]*(?<plain>(?:(?=[^"'`# \t])[^ \t]+(?:[ \t]+(?!#)[^ \t]+)*)?)(?<comment>[ \t]+#.*)?)[ \t]*$/;
// oxlint-disable-next-line no-control-regex
const PLAIN_TEXT = /^[^\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]*$/;

/** @returns the settings, or the number of the first rejected line. */
function reference(text: string): Record<string, string> | number {
  const found: Record<string, string> = Object.create(null) as Record<string, string>;
  const lines = text.replace(/^\u{feff}/u, '').split(/\r\n|\r|\n/);
  for (const [index, line] of lines.entries()) {
    if (!PLAIN_TEXT.test(line)) return index + 1;
    if (/^[ \t]*(#.*)?$/.test(line)) continue;
    const groups = LINE.exec(line)?.groups;
    if (!groups?.name || groups.name in found) return index + 1;
    const { plain = '', comment } = groups;
    if (comment !== undefined && /["'`]/.test(plain)) return index + 1;
    found[groups.name] = groups.double ?? groups.single ?? groups.tick ?? plain;
  }
  return found;
}

describe('readEnvFile', () => {
  it.each([
    ['after a line with one tab', '# gate\n\t\nPOLICY_DIR=policy', 'policy'],
    ['behind a byte order mark', '\u{feff}POLICY_DIR=policy\n', 'policy'],
    ['behind a tab', '\tPOLICY_DIR=policy', 'policy'],
    ['behind export', 'export POLICY_DIR=policy', 'policy'],
    ['behind export and a tab', ' export\tPOLICY_DIR=policy', 'policy'],
    ['with blanks around =', 'POLICY_DIR \t= policy', 'policy'],
    ['before a comment', 'POLICY_DIR=policy # the rules', 'policy'],
    ['before a comment behind a tab', 'POLICY_DIR=policy\t# the rules', 'policy'],
    ['with # inside', 'POLICY_DIR=policy#1', 'policy#1'],
    ['with lines of CR LF', 'A=1\r\nPOLICY_DIR=policy\r\nB=2\r\n', 'policy'],
    ['with lines of CR', '# gate\rPOLICY_DIR=policy\rB=2\r', 'policy'],
    ['in double quotes', 'POLICY_DIR="policy"', 'policy'],
    ['in single quotes with a comment', "POLICY_DIR='po\\licy' # it's", 'po\\licy'],
    ['in backticks', 'POLICY_DIR=`po"l\'icy`', 'po"l\'icy'],
    ['in quotes with # inside', 'POLICY_DIR="a # b"', 'a # b'],
    ['with an equals sign', 'POLICY_DIR=a=b', 'a=b'],
    ['with a dollar sign', 'POLICY_DIR="${A}$(b)"', '${A}$(b)'],
    ['with an apostrophe inside', "POLICY_DIR=it's", "it's"],
    ['without a value', 'POLICY_DIR= # none', ''],
    ['in another script', 'POLICY_DIR=Üñí', 'Üñí'],
  ])('reads a setting %s', (_case, text, value) => {
    expect(settings(text)).toMatchObject({ POLICY_DIR: value });
  });

  it.each([
    ['without =', 'policy\nPOLICY_DIR=policy', 'line 1 has no "="'],
    ['of YAML', 'A=1\nPOLICY_DIR: policy', 'line 2 has no "="'],
    ['of export alone', 'export POLICY_DIR', 'line 1 has no "="'],
    ['with an unclosed quote', 'A="x\nPOLICY_DIR=policy\nB="y"', 'line 1 has a quote that does not end'],
    ['with an unclosed quote and none below', "A='x\nPOLICY_DIR=policy", 'line 1 has a quote'],
    ['with text behind a quote', 'A="x"y', 'line 1 has text behind the closing quote'],
    ['with # right behind a quote', 'A="x"#y', 'line 1 has text behind the closing quote'],
    ['with an escape in double quotes', 'A="x\\ny"', 'line 1 has a backslash in double quotes'],
    ['with # right behind =', 'A=#x', 'line 1 has a value that begins with #'],
    ['with a quote inside and #', 'A=x "y # z"', 'line 1 has a quote within a value'],
    ['with a name of other letters', 'PÖLICY_DIR=policy', 'line 1 has a name'],
    ['with a Cyrillic letter in the name', 'РOLICY_DIR=policy', 'line 1 has a name'],
    ['with a space in the name', 'POLICY DIR=policy', 'line 1 has a name'],
    ['with a no-break space before the name', '\u{a0}POLICY_DIR=policy', 'line 1 has a name'],
    ['with a second byte order mark', 'A=1\n\u{feff}POLICY_DIR=policy', 'line 2 has a name'],
    ['without a name', '=policy', 'line 1 has a name'],
    ['with export and no name', 'export =policy', 'line 1 has a name'],
    ['that sets a name again', 'A=1\n\nA=2', 'line 3 sets A again, after line 1'],
    ['with a NUL', 'A=1\nB=\0', 'line 2 holds a NUL character'],
    ['with a form feed in a comment', '# gate\fPOLICY_DIR=policy', 'line 1 holds a control character'],
    ['with NEL in a comment', '# gate\u{85}POLICY_DIR=policy', 'line 1 holds a control character'],
    ['with a line separator', '# gate\u{2028}POLICY_DIR=policy', 'line 1 holds a control character'],
  ])('rejects a line %s', (_case, text, fault) => {
    expect(faults(text)).toEqual([expect.stringContaining(fault)]);
  });

  it.each([
    ['UTF-16', Buffer.from('\u{feff}POLICY_DIR=policy', 'utf16le')],
    ['UTF-16', Buffer.from('\u{feff}POLICY_DIR=policy', 'utf16le').swap16()],
    ['UTF-16', Buffer.from('POLICY_DIR=policy', 'utf16le')],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x41, 0, 0, 0])],
    ['UTF-32', Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x41])],
    ['not UTF-8', Buffer.from([0x41, 0x3d, 0xe9, 0x0a])],
  ])('rejects a file that is %s', (encoding, file) => {
    expect(faults(file)).toEqual([expect.stringContaining(encoding)]);
  });

  it('names every faulty line, at most twenty', () => {
    expect(faults('a\nB=1\nc\nB=2')).toHaveLength(3);
    expect(faults('x\n'.repeat(30))).toHaveLength(21);
    expect(faults('x\n'.repeat(30)).at(-1)).toBe('10 more lines have faults');
  });

  it('never quotes a value', () => {
    const wrong = [
      'A="s3cret',
      "A='s3cret'x",
      'A=#s3cret',
      's3cret',
      'A="s3cret\\"',
      'A=s3cret\0',
      'é=s3cret',
    ];
    for (const line of wrong) expect(faults(line).join()).toMatch(/^line 1 (?!.*s3cret)/);
  });

  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('A', 'B', 'POLICY_DIR', 'export ', 'x', 'é', '\u{feff}', '\0') },
    {
      weight: 3,
      arbitrary: fc.constantFrom('=', '=', '"', "'", '`', '#', ' #', '\t#', '\\', '\\n', '$', ' '),
    },
    { weight: 2, arbitrary: fc.constantFrom('\n', '\r\n', '\r', '\t', '\n\t\n', '\f', '\u{2028}') },
    { weight: 2, arbitrary: fc.constantFrom('A=1\n', 'B="b"\n', "\nC='c' # c\n", '# c\n', '\nexport D=d\n') },
  );
  const file = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(''));

  it('agrees with a reference reader on every file', () => {
    fc.assert(
      fc.property(file, (text) => {
        const read = readEnvFile(bytes(text));
        const expected = reference(text);
        if (typeof expected === 'number') {
          expect(read).toMatchObject({ ok: false });
          expect(faults(text)[0]).toMatch(new RegExp(`^line ${expected} `));
        } else expect(settings(text)).toEqual({ ...expected });
      }),
      { numRuns: 20_000 },
    );
  });

  it('returns a setting for every line that is not a comment, or rejects the file', () => {
    fc.assert(
      fc.property(file, (text) => {
        const read = readEnvFile(bytes(text));
        if (!read.ok) return;
        const lines = text.replace(/^\u{feff}/u, '').split(/\r\n|\r|\n/);
        const meant = lines.flatMap((line, index) => (/^[ \t]*(#|$)/.test(line) ? [] : [index + 1]));
        expect(read.entries.map(({ line }) => line)).toEqual(meant);
      }),
      { numRuns: 20_000 },
    );
  });

  it('returns settings or faults for random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (any) => {
        const read = readEnvFile(any);
        if (!read.ok) expect(read.faults.length).toBeGreaterThan(0);
      }),
    );
  });
});
