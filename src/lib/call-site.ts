/** Which source file uses a decorator, so that a fault in a declaration can name it. */
import { relative } from 'node:path';

/** Frames of the decorators themselves, and of the helpers through which compilers call them. */
const NOT_THE_USER = /[/\\](decorators|call-site)\.[jt]s|[/\\]node_modules[/\\]/;

/** The file outside the decorators that is being loaded, relative to the working folder; `(unknown file)` where the stack does not say. */
export function callSiteFile(): string {
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  for (const frame of frames) {
    const file = /(?:\(|at )(?:file:\/\/)?((?:[A-Za-z]:)?[/\\][^()]*?):\d+:\d+\)?$/.exec(frame)?.[1];
    if (file && !NOT_THE_USER.test(file)) return relative(process.cwd(), file);
  }
  return '(unknown file)';
}
