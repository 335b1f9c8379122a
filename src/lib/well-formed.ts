/** Well-formed Unicode: JavaScript strings may contain half of a surrogate pair, which other programs reject. */

interface Unicode {
  isWellFormed(): boolean;
  toWellFormed(): string;
}

export function isWellFormed(text: string): boolean {
  return (text as unknown as Unicode).isWellFormed();
}

/** Replaces lone surrogates with U+FFFD. */
export function wellFormed(text: string): string {
  return (text as unknown as Unicode).toWellFormed();
}
