/** Note about a revoked name that was never recorded. */
import { pseudonym } from '../../audit/pseudonyms.js';
import { lookUp, type NameKind, type OnRecord } from '../audit/on-record.js';
import { chainsIn, SourceError, type ChainFiles } from '../audit/sources.js';
import { formatList, quote } from '../../lib/format-text.js';
import type { Settings } from '../../config/settings.js';

/** By kind of revocation. Sessions are not recorded, and issuers are configured. */
const KINDS: Readonly<Record<string, NameKind>> = { subject: 'subject', client: 'client', token: 'token' };

export const NOT_CHECKED = 'Name not checked: the audit log of the server is not on this machine.';

/**
 * @param members of the revocation.
 * @param settings of the server with its audit log on this machine; undefined without it.
 * @returns undefined for a recorded name, and for kinds without a check.
 */
export async function unknownNote(
  { kind, issuer, value }: Readonly<Record<string, unknown>>,
  settings: Settings | undefined,
): Promise<string | undefined> {
  const name = KINDS[String(kind)];
  if (!name || typeof value !== 'string' || typeof issuer !== 'string') return undefined;
  if (!settings) return NOT_CHECKED;
  const { file, pseudonymKey } = settings.audit;
  let chains: readonly ChainFiles[];
  try {
    chains = await chainsIn([], file);
  } catch (error) {
    if (error instanceof SourceError) return NOT_CHECKED;
    throw error;
  }
  // Users may be recorded as keyed hashes, equal for the same user; programs have names.
  const isHashed = pseudonymKey !== undefined && name !== 'client';
  const spellings = isHashed ? [value, pseudonym(issuer, value, pseudonymKey)] : [value];
  const suggests = !isHashed && name !== 'token';
  const found: OnRecord[] = [];
  for (const spelling of spellings) {
    const one = await lookUp(chains, name, spelling, { issuer, suggests });
    if (one.issuers.has(issuer)) return undefined;
    found.push(one);
  }
  const elsewhere = found.flatMap(({ issuers }) => [...issuers]).filter((one) => one !== null);
  const near = found.flatMap((one) => one.near);
  return [
    `Unknown name: ${file} contains no ${String(kind)} ${quote(value)} of ${issuer}. The revocation is in force.`,
    ...(elsewhere.length > 0 ? [`The audit log contains this name for ${formatList(elsewhere)}.`] : []),
    ...(near.length > 0 ? [`Similar names in the audit log: ${formatList(near)}.`] : []),
  ].join(' ');
}
