/** The files of `POLICY_DIR` as they are on the disk: which there are, what is in them, and whether they have changed. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { visible } from '../common/show.js';
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
/** Beside the policy people keep notes and the schema for their editor. */
const NOT_A_POLICY = /^\.|\.(md|txt|cedarschema)$/i;

/** @throws PolicyError where the folder or a file cannot be read, or holds what is neither policy nor notes. */
export function readOperatorFiles(folder: string): OperatorFile[] {
  const names = policyNames(folder);
  if (names.length > MAX_FILES) throw new PolicyError([`POLICY_DIR: holds more than ${MAX_FILES} files`]);
  const faults: string[] = [];
  const files = names.flatMap((name) => {
    if (name !== POLICY_FILE && !name.endsWith('.cedar')) {
      faults.push(`${visible(name)}: is neither ${POLICY_FILE} nor a .cedar file: move it away`);
      return [];
    }
    // Names of files are in decisions, on record, and on screens.
    if (UNSEEN.test(name)) {
      faults.push(`${visible(name)}: is a name with characters that cannot be seen`);
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

/** Differs once something in the folder may have changed; does not read the files. Never throws. */
export function folderState(folder: string): string {
  try {
    // Followed through symbolic links, as a mounted ConfigMap is made of them.
    return policyNames(folder)
      .map((name) => {
        // What was copied with its times, or was made readable, shows in the time of the last change alone.
        const { mtimeMs, ctimeMs, size, ino } = statSync(join(folder, name));
        return `${name} ${mtimeMs} ${ctimeMs} ${size} ${ino}`;
      })
      .join('\n');
  } catch (error) {
    return `unreadable: ${codeOf(error)}`;
  }
}

function policyNames(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !NOT_A_POLICY.test(name))
      .sort();
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
