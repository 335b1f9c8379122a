/** On-demand installation of the packages in a folder with its own lock file. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runToEnd } from './processes.mjs';

/** Installs the packages of the lock file. @param options additional options of `npm ci` */
export async function install(folder, { signal, options = [] }) {
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  await runToEnd([...npm, 'ci', '--prefix', folder, '--no-audit', '--no-fund', ...options], { signal });
}

/** Compares the lock file with npm's record of the installation; ignores optional packages. */
export async function isInstalled(folder) {
  const installed = await lockedPackages(join(folder, 'node_modules/.package-lock.json')).catch(() => ({}));
  const wanted = Object.entries(await lockedPackages(join(folder, 'package-lock.json'))).filter(
    ([path]) => path !== '',
  );
  return wanted.every(
    ([path, { optional, version, integrity }]) =>
      optional || (installed[path]?.version === version && installed[path]?.integrity === integrity),
  );
}

async function lockedPackages(file) {
  return JSON.parse(await readFile(file, 'utf8')).packages;
}
