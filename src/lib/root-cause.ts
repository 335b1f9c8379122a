/**
 * Reads the causes of an error. `instanceof` does not work here: DOMException and errors of fetch may belong to
 * another realm.
 */

const MAX_DEPTH = 5;
const MAX_CAUSES = 20;
const MAX_MESSAGE = 500;

/** Members of Node.js errors. Each may be absent or of another type. */
export interface ErrorLike {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly status?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** `error` and its causes, the outermost first; at most 5. */
export function causeChain(error: unknown): ErrorLike[] {
  const chain: ErrorLike[] = [];
  for (let at = error; isErrorLike(at) && chain.length < MAX_DEPTH; at = at.cause) chain.push(at);
  return chain;
}

/** `error` and every nested error, including those of an AggregateError, the outer ones first; at most 20. */
export function allCauses(error: unknown): ErrorLike[] {
  const found: ErrorLike[] = [];
  const pending: unknown[] = [error];
  while (pending.length > 0 && found.length < MAX_CAUSES) {
    const one = pending.shift();
    if (!isErrorLike(one)) continue;
    found.push(one);
    pending.push(one.cause, ...(Array.isArray(one.errors) ? (one.errors as unknown[]) : []));
  }
  return found;
}

/** Last error of the `cause` chain, at most 5 levels deep; `error` itself without a cause. */
export function rootCause(error: unknown): unknown {
  let root = error;
  for (let depth = 0; depth < MAX_DEPTH && isErrorLike(root) && root.cause !== undefined; depth++) {
    root = root.cause;
  }
  return root;
}

/** The message of the root cause (`ECONNREFUSED` instead of `fetch failed`); at most 500 characters. */
export function rootMessage(error: unknown): string {
  const root = rootCause(error);
  if (!isErrorLike(root)) return String(root).slice(0, MAX_MESSAGE);
  const { errors, message, name } = root;
  const text = Array.isArray(errors) ? errors.map(rootMessage).join('; ') : message || name;
  return String(text).slice(0, MAX_MESSAGE);
}

function isErrorLike(value: unknown): value is ErrorLike {
  return typeof value === 'object' && value !== null;
}
