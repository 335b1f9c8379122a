/** Looks up a name in the audit log, with similar names. */
import { open } from 'node:fs/promises';
import { SimilarNames } from '../../lib/similar-names.js';
import { readLines } from '../../audit/lines.js';
import type { StoredRecord } from '../../audit/record.js';
import { recordIn } from './find.js';
import type { ChainFiles } from './sources.js';

/** A recorded name and its issuer; null without one. */
export interface RecordedName {
  readonly name: string;
  readonly issuer: string | null;
}

/** Kinds of names. */
export type NameKind = 'person' | 'agent' | 'client' | 'tool' | 'subject' | 'token';

export interface OnRecord {
  /** Issuers of the recorded name; empty for an unknown name. */
  readonly issuers: ReadonlySet<string | null>;
  /** Similar recorded names, nearest first; only for an unknown name. */
  readonly near: readonly string[];
}

/** Time limit of the search for similar names, in milliseconds. */
const PATIENCE_MS = 5_000;

/** Place of each kind of name in a record. */
const NAMES: Readonly<Record<NameKind, (record: StoredRecord) => readonly RecordedName[]>> = {
  person: ({ on_behalf_of: person, principal }) =>
    principal ? [{ name: person ?? principal.sub, issuer: principal.iss }] : [],
  agent: ({ delegation }) =>
    delegation.filter(({ type }) => type !== 'human').map(({ sub, iss }) => ({ name: sub, issuer: iss })),
  client: ({ principal, delegation }) => [
    ...(principal ? [{ name: principal.client_id, issuer: principal.iss }] : []),
    ...delegation.filter(({ type }) => type === 'client').map(({ sub, iss }) => ({ name: sub, issuer: iss })),
  ],
  tool: ({ tool }) => (tool === null ? [] : [{ name: tool, issuer: null }]),
  subject: ({ principal, delegation }) => [
    ...(principal ? [{ name: principal.sub, issuer: principal.iss }] : []),
    ...delegation.map(({ sub, iss }) => ({ name: sub, issuer: iss })),
  ],
  token: ({ principal }) =>
    principal?.token_id == null ? [] : [{ name: principal.token_id, issuer: principal.iss }],
};

/**
 * @param issuer expected issuer; undefined: any.
 * @param suggests false for ids and hashes, where similar names are meaningless.
 */
export async function lookUp(
  chains: readonly ChainFiles[],
  kind: NameKind,
  name: string,
  { issuer, suggests = true }: { readonly issuer?: string; readonly suggests?: boolean } = {},
): Promise<OnRecord> {
  const files = chains.flatMap((chain) => [...chain.files].reverse());
  const issuers = new Set<string | null>();
  // Parses only lines that contain the name.
  const holding = Buffer.from(JSON.stringify(name), 'utf8');
  for await (const record of records(files, holding)) {
    for (const one of NAMES[kind](record)) if (one.name === name) issuers.add(one.issuer);
    if (issuer === undefined ? issuers.size > 0 : issuers.has(issuer)) break;
  }
  if (!suggests || issuers.size > 0) return { issuers, near: [] };
  const near = new SimilarNames(name);
  const deadline = performance.now() + PATIENCE_MS;
  for await (const record of records(files)) {
    for (const one of NAMES[kind](record)) near.add(one.name);
    if (performance.now() > deadline) break;
  }
  return { issuers, near: near.names };
}

async function* records(files: readonly string[], holding?: Buffer): AsyncGenerator<StoredRecord> {
  for (const file of files) {
    const handle = await open(file, 'r');
    try {
      for await (const lines of readLines(handle, { ...(holding && { holding }) })) {
        for (const { text, whole } of lines) {
          const record = whole ? recordIn(text) : undefined;
          if (record) yield record;
        }
      }
    } finally {
      await handle.close();
    }
  }
}
