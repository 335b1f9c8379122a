/** Diagnostic rules by check, with remedies. Pure. */
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

/** By check, from specific to general; the first match counts. */
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

/** Explains a failed check. */
export function advise(check: CheckName, context: DiagnosticContext): Advice | undefined {
  for (const { name, match } of DIAGNOSTIC_RULES[check]) {
    const words = match(context);
    if (words) return { rule: name, ...words };
  }
  return undefined;
}

/** Notes on an accepted token. */
export function remark(accepted: Accepted): Advice[] {
  return NOTES.flatMap(({ name, match }) => {
    const words = match(accepted);
    return words ? [{ rule: name, ...words }] : [];
  });
}
