/** Reads the files of `POLICY_DIR` and detects changes. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { escapeControlChars } from '../lib/format-text.js';
import { isPolicyName, sortNames, type SortedNames } from './file-names.js';
import { POLICY_FILE } from './policy-file.js';

export interface OperatorFile {
  readonly name: string;
  readonly text: string;
  /** SHA-256 of its bytes, hex. */
  readonly sha256: string;
}

/** Maximum number of listed faults. */
const MAX_SHOWN = 100;

/** Faults of the operator's policy, each with file and line. */
export class PolicyError extends Error {
  constructor(readonly faults: readonly string[]) {
    const more = faults.length - MAX_SHOWN;
    const lines = [
      `The policy has ${faults.length} fault(s):`,
      ...faults.slice(0, MAX_SHOWN).map((fault) => `  - ${fault}`),
      ...(more > 0 ? [`  and ${more} more`] : []),
    ];
    super(lines.join('\n'));
    this.name = 'PolicyError';
  }
}

const MAX_FILES = 1_000;
const MAX_FILE_BYTES = 1024 * 1024;
/** Limit of `policy.yaml`: parsing blocks the process. */
const MAX_YAML_BYTES = 256 * 1024;
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/u;

/**
 * Policy files, sorted by name.
 * @throws PolicyError for an unreadable folder or file, an unknown file, and a backup without its policy file.
 */
export function readOperatorFiles(folder: string): OperatorFile[] {
  const { policy: names, orphans } = namesIn(folder);
  if (names.length > MAX_FILES) throw new PolicyError([`POLICY_DIR: holds more than ${MAX_FILES} files`]);
  // The rules of the missing original would be lost silently.
  const faults = orphans
    .slice(0, MAX_FILES)
    .map(
      ({ backup, original }) =>
        `${escapeControlChars(backup)}: is a backup of ${escapeControlChars(original)}, which is missing: restore that, or move the backup away`,
    );
  const files = names.flatMap((name) => {
    if (!isPolicyName(name)) {
      faults.push(`${escapeControlChars(name)}: is neither ${POLICY_FILE} nor a .cedar file: move it away`);
      return [];
    }
    // File names appear in decisions, records and terminals.
    if (UNSEEN.test(name)) {
      faults.push(`${escapeControlChars(name)}: has a name with invisible characters`);
      return [];
    }
    return readFile(folder, name, faults);
  });
  if (names.length === 0) faults.push(`POLICY_DIR: holds neither ${POLICY_FILE} nor a .cedar file`);
  if (faults.length > 0) throw new PolicyError(faults);
  return files;
}

/** Digest of all files. */
export function digestOfFiles(files: readonly OperatorFile[]): string {
  const listed = files.map(({ name, sha256 }) => [name, sha256]);
  return createHash('sha256').update(JSON.stringify(listed)).digest('hex');
}

/** Names of temporary files and hidden drafts, which {@link readOperatorFiles} ignores. @throws PolicyError */
export function ignoredFiles(folder: string): readonly string[] {
  return namesIn(folder).ignored;
}

/**
 * Changes when a policy file may have changed, without reading files. Ignores temporary files of editors. Never
 * throws.
 */
export function folderState(folder: string): string {
  try {
    // Follows symbolic links, as in mounted ConfigMaps.
    const { policy, orphans } = namesIn(folder);
    const files = policy.map((name) => {
      // A copy with preserved times, or a change of permissions, changes only ctime.
      const { mtimeMs, ctimeMs, size, ino } = statSync(join(folder, name));
      return `${name} ${mtimeMs} ${ctimeMs} ${size} ${ino}`;
    });
    return [...files, ...orphans.map(({ backup }) => backup)].join('\n');
  } catch (error) {
    return `unreadable: ${codeOf(error)}`;
  }
}

function namesIn(folder: string): SortedNames {
  try {
    return sortNames(readdirSync(folder));
  } catch (error) {
    throw new PolicyError([`POLICY_DIR: the folder cannot be read (${codeOf(error)})`]);
  }
}

function readFile(folder: string, name: string, faults: string[]): OperatorFile[] {
  try {
    const path = join(folder, name);
    const stat = statSync(path);
    // Reading a pipe or device might never end.
    if (!stat.isFile()) {
      faults.push(`${name}: is not a file`);
      return [];
    }
    const most = name === POLICY_FILE ? MAX_YAML_BYTES : MAX_FILE_BYTES;
    if (stat.size > most) {
      faults.push(`${name}: is larger than ${most} bytes`);
      return [];
    }
    const bytes = readFileSync(path);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return [{ name, text, sha256: createHash('sha256').update(bytes).digest('hex') }];
  } catch (error) {
    faults.push(`${name}: cannot be read (${codeOf(error)})`);
    return [];
  }
}

function codeOf(error: unknown): string {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  return code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'not UTF-8' : code;
}
