/** Removes null members: an optional claim with null counts as absent. Pure. */
import { isJsonObject } from '../../lib/json.js';
import type { Claims } from '../presets/presets.js';

/** Bound of the recursion. Deeper members keep null, and the check of their claim rejects it. */
const MAX_DEPTH = 32;

/**
 * Removes null members of the claims and nested objects, up to 32 levels; lists are unchanged. A required claim with
 * null is then missing, and its check rejects the token.
 */
export function dropNullClaims(claims: Claims): Claims {
  return strip(claims, 1);
}

function strip(object: Claims, depth: number): Claims {
  const members = Object.entries(object).filter(([, value]) => value !== null);
  return Object.fromEntries(
    members.map(([name, value]) => [
      name,
      isJsonObject(value) && depth < MAX_DEPTH ? strip(value, depth + 1) : value,
    ]),
  );
}
