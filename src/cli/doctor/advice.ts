/** The usual traps: what a failed check mostly means, and what to change there or here. Pure. */
import type { CheckName } from './checks.js';
import type { Advice } from './report.js';
import type { Situation, Trap } from './diagnostic-context.js';
import { AUDIENCE } from './traps/audience.js';
import { BINDING } from './traps/binding.js';
import { CLAIMS, NATURE } from './traps/claims.js';
import { FORM } from './traps/form.js';
import { ALGORITHM, TYPE } from './traps/header.js';
import { ISSUER } from './traps/issuer.js';
import { NOTES, type Accepted } from './traps/notes.js';
import { INTROSPECTION, SIGNATURE } from './traps/signature.js';
import { LIFETIME, TIMES } from './traps/times.js';

/** Of each check, from the special to the general: the first that fits is said. */
export const TRAPS: Readonly<Record<CheckName, readonly Trap[]>> = {
  form: FORM,
  issuer: ISSUER,
  algorithm: ALGORITHM,
  type: TYPE,
  signature: SIGNATURE,
  introspection: INTROSPECTION,
  audience: AUDIENCE,
  times: TIMES,
  nature: NATURE,
  lifetime: LIFETIME,
  claims: CLAIMS,
  binding: BINDING,
};

/** What to do about a check that failed. */
export function advise(check: CheckName, situation: Situation): Advice | undefined {
  for (const { name, look } of TRAPS[check]) {
    const words = look(situation);
    if (words) return { trap: name, ...words };
  }
  return undefined;
}

/** What a token that is accepted does not bring. */
export function remark(accepted: Accepted): Advice[] {
  return NOTES.flatMap(({ name, look }) => {
    const words = look(accepted);
    return words ? [{ trap: name, ...words }] : [];
  });
}
