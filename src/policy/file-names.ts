/** Classifies files of `POLICY_DIR` by name: policy, notes, or temporary files of editors. Pure. */
import { POLICY_FILE } from './policy-file.js';

export interface SortedNames {
  /** Sorted: policy files, and unknown names, which are rejected. */
  readonly policy: readonly string[];
  /** Temporary files and hidden drafts: ignored and logged. */
  readonly ignored: readonly string[];
  /** Backups without their original. */
  readonly orphans: readonly { readonly backup: string; readonly original: string }[];
}

/** Documentation, and the schema for editors. A policy file with such an ending does not match. */
const NOTES = /(?<!\.(?:cedar|ya?ml))\.(?:md|txt|cedarschema)$/i;
/** ConfigMap links, version control, editor settings. */
const HIDDEN = /^\./;
const HIDDEN_DRAFT = /^\.(?!\.).*\.(?:cedar|ya?ml)/i;

/** The original was renamed to this name: with only the backup present, a rule would be lost. */
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
  // New text before a rename: JetBrains, GNOME, GNU sed and others.
  /\.tmp$/i,
  /___jb_tmp___$/,
  /^\.goutputstream-/,
  /^sed[A-Za-z0-9]{6}$/,
];
/** Vim tests write access with a file of this name, or the next ones. */
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

/** Original policy file of a backup; undefined for other files. */
function originalOf(name: string): string | undefined {
  const form = BACKUPS.find((one) => one.test(name));
  // Emacs numbers its backups: policy.yaml.~1~
  const original = form && name.replace(/\.~\d+~$/, '').replace(form, '');
  return original !== undefined && isPolicyName(original) && !HIDDEN.test(original) ? original : undefined;
}
