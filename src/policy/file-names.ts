/** Roles of the files in `POLICY_DIR`, told from their names: policy, notes, or temporary files of editors. Pure. */
import { POLICY_FILE } from './policy-file.js';

export interface SortedNames {
  /** In order: policy files, and names that fit no known form, which are refused. */
  readonly policy: readonly string[];
  /** Temporary files and hidden drafts: not read, and named in the log. */
  readonly ignored: readonly string[];
  /** Backups whose original is missing, with the name of the original. */
  readonly orphans: readonly { readonly backup: string; readonly original: string }[];
}

/** Kept beside the policy: documentation, and the schema for an editor. A policy file with one of these endings is none. */
const NOTES = /(?<!\.(?:cedar|ya?ml))\.(?:md|txt|cedarschema)$/i;
/** ConfigMap links, version control, editor settings. */
const HIDDEN = /^\./;
const HIDDEN_DRAFT = /^\.(?!\.).*\.(?:cedar|ya?ml)/i;

/** The original was renamed to this name: while only the backup is there, a rule would be lost. */
const BACKUPS = [/~$/, /\.(?:bak|orig|save)$/i, /___jb_(?:old|bak)___$/];
const TEMPORARY = [
  ...BACKUPS,
  // Emacs: auto-save and lock. macOS: resource fork and folder view.
  /^#.*#$/,
  /^\.#/,
  /^\._/,
  /^\.DS_Store$/,
  // Vim: swap files, from .swp down to .swa, and its probe .swx.
  /\.sw[a-px]$/i,
  // New text that replaces the file by a rename: JetBrains, GNOME, GNU sed, and others.
  /\.tmp$/i,
  /___jb_tmp___$/,
  /^\.goutputstream-/,
  /^sed[A-Za-z0-9]{6}$/,
];
/** Vim tests with a file of this name whether it may write to the folder; where it exists, with the next ones. */
const VIM_PROBE = { first: 4913, step: 123 };

export function sortNames(names: readonly string[]): SortedNames {
  const isOther = (name: string) => !NOTES.test(name) && !HIDDEN.test(name) && !isTemporary(name);
  const orphans = names.flatMap((backup) => {
    const original = originalOf(backup);
    return original !== undefined && !names.includes(original) ? [{ backup, original }] : [];
  });
  return {
    policy: names.filter(isOther).sort(),
    ignored: names.filter((name) => isTemporary(name) || HIDDEN_DRAFT.test(name)).sort(),
    orphans,
  };
}

export function isPolicyName(name: string): boolean {
  return name === POLICY_FILE || name.endsWith('.cedar');
}

function isTemporary(name: string): boolean {
  const number = /^\d{4,6}$/.test(name) ? Number(name) - VIM_PROBE.first : -1;
  const isProbe = number >= 0 && number % VIM_PROBE.step === 0;
  return isProbe || TEMPORARY.some((form) => form.test(name));
}

/** The policy file that a backup was made of; undefined where it is no backup, or one of something else. */
function originalOf(name: string): string | undefined {
  const form = BACKUPS.find((one) => one.test(name));
  // Emacs numbers its backups: policy.yaml.~1~
  const original = form && name.replace(/\.~\d+~$/, '').replace(form, '');
  return original !== undefined && isPolicyName(original) && !HIDDEN.test(original) ? original : undefined;
}
