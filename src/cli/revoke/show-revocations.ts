/** Prints revocations as text or JSON. */
import { escapeControlChars } from '../../lib/format-text.js';

/** @param revocations members of the administration API. */
export function renderRevocations(revocations: readonly object[], json: boolean): string {
  if (json) return `${JSON.stringify(revocations)}\n`;
  if (revocations.length === 0) return 'No revocation is in force.\n';
  return revocations.map((one) => `${lineOf(one as Record<string, string | number | null>)}\n`).join('');
}

export function renderWithdrawn(id: string, json: boolean): string {
  return json ? `${JSON.stringify({ id, withdrawn: true })}\n` : `${escapeControlChars(id)} is withdrawn.\n`;
}

function lineOf({
  id,
  kind,
  issuer,
  value,
  issued_before: at,
  by,
  reason,
}: Record<string, string | number | null>): string {
  const until = new Date(Number(at) * 1000).toISOString();
  const why = reason === null ? '' : `: ${reason}`;
  return escapeControlChars(`${id}  ${kind} ${value} of ${issuer}, issued until ${until}, by ${by}${why}`);
}
