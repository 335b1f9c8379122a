/** LRU cache for token data with a limit of entries and of total size. */
import { LRUCache } from 'lru-cache';

const MAX_TOKENS = 10_000;
/** Total size in characters, as the caller states it. One character takes about four bytes. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

export function createTokenLru<Value extends object | string>(): LRUCache<string, Value> {
  return new LRUCache({ max: MAX_TOKENS, maxSize: MAX_CHARACTERS });
}
