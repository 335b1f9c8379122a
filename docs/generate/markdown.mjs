/** Markdown of the generated pages: the lines between two markers, and the cells of tables. */

const END = '<!-- end -->';

/**
 * The page with new lines between `<!-- generated: NAME -->` and `<!-- end -->`.
 *
 * @param text the page
 * @param name the name in the first marker
 * @param lines Markdown, without an empty line before or after it
 * @throws Error without the two markers
 */
export function replaceGenerated(text, name, lines) {
  const begin = `<!-- generated: ${name} -->\n`;
  const from = text.indexOf(begin);
  const to = text.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`The page lacks ${begin.trim()} or ${END}`);
  return `${text.slice(0, from)}${begin}\n${lines}\n\n${text.slice(to)}`;
}

/** @param text one cell; the character `|` would end it. */
export const cell = (text) => text.replaceAll('|', '\\|');
