/** Finds the source file that uses a decorator, for the messages of declaration faults. */
import { relative } from 'node:path';

/** Frames of the decorators and of compiler helpers. */
const NOT_THE_USER = /[/\\](decorators|call-site)\.[jt]s|[/\\]node_modules[/\\]/;

/** File of the caller, relative to the working directory; `(unknown file)` if the stack has none. */
export function callSiteFile(): string {
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  for (const frame of frames) {
    const file = /(?:\(|at )(?:file:\/\/)?((?:[A-Za-z]:)?[/\\][^()]*?):\d+:\d+\)?$/.exec(frame)?.[1];
    if (file && !NOT_THE_USER.test(file)) return relative(process.cwd(), file);
  }
  return '(unknown file)';
}
