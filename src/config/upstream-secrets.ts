/** Secrets that `UPSTREAMS_FILE` names. */
import { lineFault } from './client-entry.js';
import type { FaultReporter, SecretFiles } from './yaml-file.js';

/** The current file: its path, its secrets and its fault reporter. */
export interface Reading {
  readonly path: string;
  readonly secrets: SecretFiles;
  readonly report: FaultReporter;
}

/** Secret from a file of one line. @param found receives the secret. */
export function secretOf(
  file: string,
  place: string,
  { secrets, report }: Pick<Reading, 'secrets' | 'report'>,
  found: string[] = [],
): string {
  const secret = secrets.optional(file, place, 1) ?? '';
  const fault = lineFault(secret);
  if (fault !== undefined) report(`${place}: `, fault);
  found.push(secret);
  return secret;
}
