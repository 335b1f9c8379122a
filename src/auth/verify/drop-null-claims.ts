/** Claims without members that are null: an optional claim that is null counts as an absent one. Pure. */
import { isJsonObject } from '../../lib/json.js';
import type { Claims } from '../presets/presets.js';

/** Deeper members keep their nulls, and the check of their claim refuses them: a bound on recursion. */
const MAX_DEPTH = 32;

/**
 * Removes null members of the claims and of the objects in them, up to 32 levels. Lists keep theirs.
 * A required claim that is null is missing afterwards, and its check refuses the token.
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
