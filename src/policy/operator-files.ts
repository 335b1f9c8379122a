/** The files of `POLICY_DIR` as they are on the disk: which there are, what is in them, and whether they have changed. */
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

/** Faults that are said one by one. */
const MAX_SHOWN = 100;

/** Several things wrong with the operator's policy, each with its file and line. */
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
/** Of `policy.yaml`: while it is read, no call is answered, and YAML takes its time. */
const MAX_YAML_BYTES = 256 * 1024;
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/u;

/**
 * The policy files, in the order of their names.
 * @throws PolicyError where the folder or a file cannot be read, where a file is neither policy, notes nor a known
 * temporary file, and where only the backup of a policy file is left.
 */
export function readOperatorFiles(folder: string): OperatorFile[] {
  const { policy: names, orphans } = namesIn(folder);
  if (names.length > MAX_FILES) throw new PolicyError([`POLICY_DIR: holds more than ${MAX_FILES} files`]);
  // The rules of the original would be gone without a word.
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
    // Names of files are in decisions, on record, and on screens.
    if (UNSEEN.test(name)) {
      faults.push(`${escapeControlChars(name)}: is a name with characters that cannot be seen`);
      return [];
    }
    return readFile(folder, name, faults);
  });
  if (names.length === 0) faults.push(`POLICY_DIR: holds neither ${POLICY_FILE} nor a .cedar file`);
  if (faults.length > 0) throw new PolicyError(faults);
  return files;
}

/** One name for what all files say together. */
export function digestOfFiles(files: readonly OperatorFile[]): string {
  const listed = files.map(({ name, sha256 }) => [name, sha256]);
  return createHash('sha256').update(JSON.stringify(listed)).digest('hex');
}

/** Names of the temporary files and hidden drafts that {@link readOperatorFiles} passes by. @throws PolicyError */
export function ignoredFiles(folder: string): readonly string[] {
  return namesIn(folder).ignored;
}

/**
 * Differs once a policy file may have changed; does not read the files. Temporary files of editors make no difference.
 * Never throws.
 */
export function folderState(folder: string): string {
  try {
    // Followed through symbolic links, as a mounted ConfigMap is made of them.
    const { policy, orphans } = namesIn(folder);
    const files = policy.map((name) => {
      // What was copied with its times, or was made readable, shows in the time of the last change alone.
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
    // A pipe or a device would be read without end.
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
