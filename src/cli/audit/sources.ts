/** Finds and orders the files of a question: by chain, oldest first. */
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { archivesOf, openIfThere } from '../../audit/audit-log-files.js';
import { endOfText, readLines } from '../../audit/lines.js';
import { isTornRecord } from '../../audit/recover.js';
import { parseJsonObject } from '../../lib/json.js';

export interface ChainFiles {
  readonly instance: string;
  readonly files: readonly string[];
}

/** An unreadable file, or one without audit records, in one sentence. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
}

/**
 * @param paths files, or folders with `.jsonl` files; empty: the audit log of this server with its archives.
 * @throws SourceError for a missing path, or one without audit records.
 */
export async function chainsIn(paths: readonly string[], ownAuditLog: string): Promise<ChainFiles[]> {
  const files =
    paths.length > 0 ? (await Promise.all(paths.map(filesAt))).flat() : await ownFiles(ownAuditLog);
  const chains = new Map<string, { path: string; seq: number }[]>();
  for (const path of new Set(files)) {
    const { instance, seq } = await beginningOf(path);
    chains.set(instance, [...(chains.get(instance) ?? []), { path, seq }]);
  }
  return [...chains].map(([instance, of]) => ({
    instance,
    files: of.sort((a, b) => a.seq - b.seq).map(({ path }) => path),
  }));
}

async function ownFiles(auditLog: string): Promise<string[]> {
  const files = [...(await archivesOf(auditLog)), ...((await holdsText(auditLog)) ? [auditLog] : [])];
  if (files.length === 0)
    throw new SourceError(`No audit log at ${auditLog}. Name its files, or set AUDIT_FILE.`);
  return files;
}

/** False for a file without a complete record after a crash; the server continues the previous file. */
async function holdsText(path: string): Promise<boolean> {
  const handle = await openIfThere(path);
  if (!handle) return false;
  try {
    const to = await endOfText(handle, (await handle.stat()).size);
    for await (const [line] of readLines(handle, { to }))
      return !line || line.whole || !isTornRecord(line.text);
    return false;
  } finally {
    await handle.close();
  }
}

async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new SourceError(`${path} cannot be read (${error.code}).`);
  });
  if (found.isFile()) return [path];
  // A pipe or device may never end.
  if (!found.isDirectory()) throw new SourceError(`${path} is neither a file nor a folder.`);
  const entries = await readdir(path, { withFileTypes: true });
  const names = entries
    .filter((entry) => (entry.isFile() || entry.isSymbolicLink()) && entry.name.endsWith('.jsonl'))
    .map(({ name }) => name);
  if (names.length === 0) throw new SourceError(`${path} contains no .jsonl file.`);
  return names.map((name) => join(path, name));
}

/** For an unreadable first record, the information in the file name. */
async function beginningOf(path: string): Promise<{ instance: string; seq: number }> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new SourceError(`${path} cannot be read (${error.code}).`);
  });
  try {
    for await (const lines of readLines(handle)) {
      for (const { text } of lines) {
        const { instance, seq } = parseJsonObject(text) ?? {};
        if (typeof instance === 'string' && typeof seq === 'number') return { instance, seq };
      }
      break;
    }
  } finally {
    await handle.close();
  }
  throw new SourceError(`${basename(path)} contains no audit record.`);
}
