/** A mounted Kubernetes ConfigMap or Secret: every file is a link through `..data`, which is swapped atomically. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';

/** Replaces the files in the same order as the kubelet. */
export function mountFiles(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  const data = join(folder, '..data');
  const before = existsSync(data) ? readlinkSync(data) : undefined;
  const now = mkdtempSync(join(folder, '..2026_11_22_10_00_00.'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(now, name), text);
  symlinkSync(basename(now), join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), data);
  const shown = readdirSync(folder).filter((name) => !name.startsWith('..'));
  for (const name of Object.keys(files).filter((one) => !shown.includes(one)))
    symlinkSync(join('..data', name), join(folder, name));
  for (const name of shown.filter((one) => !(one in files))) rmSync(join(folder, name));
  if (before !== undefined) rmSync(join(folder, before), { recursive: true });
}
