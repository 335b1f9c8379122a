/** Texts that are Unicode: JavaScript's may have half of a surrogate pair in them, which no other program takes. */

interface Unicode {
  isWellFormed(): boolean;
  toWellFormed(): string;
}

export function isWellFormed(text: string): boolean {
  return (text as unknown as Unicode).isWellFormed();
}

/** With U+FFFD in place of what is no character. */
export function wellFormed(text: string): string {
  return (text as unknown as Unicode).toWellFormed();
}
