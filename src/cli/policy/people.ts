/** Reads `--as`: a file, a token or principal on stdin, or a name of the audit log. */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { find } from '../audit/find.js';
import { chainsIn, type ChainFiles } from '../audit/sources.js';
import { pseudonym } from '../../audit/pseudonyms.js';
import type { StoredRecord } from '../../audit/record.js';
import { SimilarNames } from '../../lib/similar-names.js';
import type { Principal } from '../../core/principal.js';
import { quote, escapeControlChars } from '../../lib/format-text.js';
import { auditFileOf, type Environment } from '../../config/load-settings.js';
import { readStdin } from '../read-stdin.js';
import { UsageError } from '../usage.js';
import { readPasted } from '../doctor/pasted.js';
import { principalOfRecord, principalsIn, type NamedPrincipal } from './principals.js';
import { principalOfToken } from './token.js';

export interface People {
  readonly principals: readonly NamedPrincipal[];
  /** Description of the source; undefined for a file. */
  readonly origin: string | undefined;
  /** True if the server would reject their token. */
  readonly refused: boolean;
}

/** A credential on one line; principals in YAML or JSON contain a colon or braces. */
const TOKEN = /^[A-Za-z0-9._~+/=-]+$/;

/**
 * @param as path of a file; `-` for stdin; otherwise a subject, or `SUBJECT via CLIENT`, of the audit log.
 * @throws Error with one sentence if no principal matches, or principals of several issuers do.
 */
export async function peopleAs(as: string, env: Environment): Promise<People> {
  if (as === '-') {
    const text = await readStdin('Paste a token or a principal and press Ctrl-D.');
    if (text.trim() === '') throw new UsageError('--as -: stdin is empty.');
    return peopleOnStdin(text, env);
  }
  if (isFile(as)) return ofFile(as, readFileSync(as, 'utf8'));
  return personOfLog(as, env);
}

async function peopleOnStdin(text: string, env: Environment): Promise<People> {
  const { token } = readPasted(text);
  if (!TOKEN.test(token)) return ofFile('stdin', text);
  const { principal, origin, refused } = await principalOfToken(token, env);
  return { principals: [{ name: principal.subject, principal }], origin, refused };
}

function ofFile(path: string, text: string): People {
  return { principals: principalsIn(path, text), origin: undefined, refused: false };
}

/** The newest record counts: it has the scopes, roles and login of the last token. */
async function personOfLog(name: string, env: Environment): Promise<People> {
  const chains = await chainsIn([], auditFileOf(env)).catch((error: Error) => {
    throw new Error(
      `--as: ${quote(name)} is not a file, and no audit log is available to search for this subject: ${error.message}`,
    );
  });
  const asked = readName(name, env);
  const newest = new Map<string, StoredRecord>();
  for (const { files } of chains) {
    // A selection skips other lines. Pseudonyms depend on the issuer of each record.
    const selection = asked.pseudonymKey === undefined ? { person: asked.subject } : {};
    for await (const { record } of find(files, selection)) {
      const principal = principalOfRecord(record);
      if (!principal || !isAsked(principal, asked)) continue;
      const before = newest.get(principal.issuer);
      if (!before || before.time <= record.time) newest.set(principal.issuer, record);
    }
  }
  const [record, another] = [...newest.values()];
  if (another) {
    const issuers = [...newest.keys()].map((one) => quote(one)).join(' and ');
    throw new Error(
      `--as: ${quote(name)} is a subject of several issuers (${issuers}): write the principal to a file.`,
    );
  }
  const principal = record && principalOfRecord(record);
  if (!record || !principal) {
    const names = (await nearSubjects(chains, asked.subject)).map((one) => quote(one)).join(', ');
    const near = names === '' ? '' : ` Similar names: ${names}.`;
    throw new Error(`--as: ${quote(name)} is neither a file nor a subject of the audit log.${near}`);
  }
  const { subject, clientId, delegation } = principal;
  // Conditions compare the subject, not its pseudonym.
  const links = delegation.map((link) => (link.sub === subject ? { ...link, sub: asked.subject } : link));
  return {
    principals: [{ name, principal: { ...principal, subject: asked.subject, delegation: links } }],
    origin: escapeControlChars(`${asked.subject} via ${clientId}, from the record of ${record.time}`),
    refused: false,
  };
}

interface AskedName {
  readonly subject: string;
  /** Undefined: the last used client. */
  readonly client: string | undefined;
  readonly pseudonymKey: string | undefined;
}

/** `SUBJECT`, or `SUBJECT via CLIENT` like the columns of `matrix --audit-log`. */
function readName(name: string, { AUDIT_PSEUDONYM_KEY_FILE: file }: Environment): AskedName {
  const at = name.lastIndexOf(' via ');
  const pseudonymKey = file === undefined ? undefined : readFileSync(resolve(file), 'utf8').trim();
  return at < 0
    ? { subject: name, client: undefined, pseudonymKey }
    : { subject: name.slice(0, at), client: name.slice(at + ' via '.length), pseudonymKey };
}

function isAsked(
  { subject, issuer, clientId }: Principal,
  { client, pseudonymKey, ...asked }: AskedName,
): boolean {
  const isSubject =
    subject === asked.subject ||
    (pseudonymKey !== undefined && subject === pseudonym(issuer, asked.subject, pseudonymKey));
  return isSubject && (client === undefined || client === clientId);
}

async function nearSubjects(chains: readonly ChainFiles[], name: string): Promise<readonly string[]> {
  const near = new SimilarNames(name);
  for (const { files } of chains) {
    for await (const { record } of find(files, {})) {
      const principal = principalOfRecord(record);
      if (principal) near.add(principal.subject);
    }
  }
  return near.names;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
