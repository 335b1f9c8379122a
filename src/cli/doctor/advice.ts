/** Diagnostic rules: what a failed check mostly means, and what to change there or here. Pure. */
import type { CheckName } from './checks.js';
import type { Advice } from './report.js';
import type { DiagnosticContext, DiagnosticRule } from './diagnostic-context.js';
import { AUDIENCE } from './rules/audience.js';
import { BINDING } from './rules/binding.js';
import { CLAIMS, TOKEN_KIND } from './rules/claims.js';
import { FORM } from './rules/form.js';
import { ALGORITHM, TYPE } from './rules/header.js';
import { ISSUER } from './rules/issuer.js';
import { NOTES, type Accepted } from './rules/notes.js';
import { INTROSPECTION, SIGNATURE } from './rules/signature.js';
import { LIFETIME, TIMES } from './rules/times.js';

/** Of each check, from the special to the general: the first that fits is said. */
export const DIAGNOSTIC_RULES: Readonly<Record<CheckName, readonly DiagnosticRule[]>> = {
  form: FORM,
  issuer: ISSUER,
  algorithm: ALGORITHM,
  type: TYPE,
  signature: SIGNATURE,
  introspection: INTROSPECTION,
  audience: AUDIENCE,
  times: TIMES,
  kind: TOKEN_KIND,
  lifetime: LIFETIME,
  claims: CLAIMS,
  binding: BINDING,
};

/** What to do about a check that failed. */
export function advise(check: CheckName, context: DiagnosticContext): Advice | undefined {
  for (const { name, match } of DIAGNOSTIC_RULES[check]) {
    const words = match(context);
    if (words) return { rule: name, ...words };
  }
  return undefined;
}

/** What a token that is accepted does not bring. */
export function remark(accepted: Accepted): Advice[] {
  return NOTES.flatMap(({ name, match }) => {
    const words = match(accepted);
    return words ? [{ rule: name, ...words }] : [];
  });
}
