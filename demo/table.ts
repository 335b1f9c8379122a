/** Plain text for a terminal. Pure functions. */

/** Columns have the width of their widest cell, with two spaces between them. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

/** Indents each actor below the party that it acts for. */
export function chain(links: readonly string[]): string {
  return links.map((link, at) => (at === 0 ? `  ${link}` : `  ${'   '.repeat(at - 1)}└─ ${link}`)).join('\n');
}
