/** What is remembered of tokens: of so many, and of so much together, the latest used. */
import { LRUCache } from 'lru-cache';

const MAX_TOKENS = 10_000;
/** Of all of them together, in characters, which whoever puts one in says; what is kept of a token takes some four bytes each. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

export function createTokenLru<Value extends object | string>(): LRUCache<string, Value> {
  return new LRUCache({ max: MAX_TOKENS, maxSize: MAX_CHARACTERS });
}
