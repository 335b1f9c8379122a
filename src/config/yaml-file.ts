/** Parses a YAML file and validates its mappings against classes. Reports all faults. */
import { validateSync } from 'class-validator';
import { dirname, resolve } from 'node:path';
import { parseDocument, Parser, type CST } from 'yaml';
import { escapeControlChars } from '../lib/format-text.js';
import { isJsonObject } from '../lib/json.js';

/** Reads a file of the operator. Throws if it is unreadable. */
export type ReadFile = (path: string) => string;

export type Entry = Record<string, unknown>;

/** Receives a fault: its place in the file with a final `: `, and the cause without the value. */
export type FaultReporter = (place: string, fault: string) => void;

const MAX_NAME = 40;
/** The parser recurses: deeper nesting could exhaust its stack and end the process. */
const MAX_DEPTH = 32;
/** Members of one mapping, whose names are compared pairwise. Lists have no limit. */
const MAX_MEMBERS = 1_000;
const NO_SETTING = 'is not a setting of this server';

/**
 * Returns the mapping in the file. Reports a fault and returns undefined for other content.
 * @param list the required list of the file.
 */
export function parseYaml(
  path: string,
  read: ReadFile,
  list: string,
  report: FaultReporter,
): Entry | undefined {
  let text: string;
  try {
    text = read(path);
  } catch (error) {
    report('', `the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
    return undefined;
  }
  const lineOf = (offset: number) => text.slice(0, offset).split('\n').length;
  const excess = excessOf(text);
  if (excess) {
    report('', `line ${lineOf(excess.offset)} ${excess.message}`);
    return undefined;
  }
  // Aliases are rejected: they can expand a small file to a huge object.
  const document = parseDocument(text, { prettyErrors: false, strict: true, uniqueKeys: true });
  for (const { code, pos } of [...document.errors, ...document.warnings]) {
    report('', `line ${lineOf(pos[0])} is not valid YAML (${code})`);
  }
  if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
  try {
    const entry: unknown = document.toJS({ maxAliasCount: 0 });
    if (isJsonObject(entry)) return entry;
    report('', `must be a mapping with the list "${list}"`);
  } catch {
    report('', 'must not use aliases');
  }
  return undefined;
}

/** Finds excessive nesting and size without composing, and so without recursion. */
function excessOf(text: string): { readonly offset: number; readonly message: string } | undefined {
  const pending = [...new Parser().parse(text)].map((token) => ({ token, depth: 0 }));
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { token, depth } = next;
    if (depth > MAX_DEPTH) return { offset: token.offset, message: `is nested more than ${MAX_DEPTH} deep` };
    if (token.type === 'document' && token.value) pending.push({ token: token.value, depth });
    if (!('items' in token)) continue;
    if (token.type !== 'block-seq' && !isList(token) && token.items.length > MAX_MEMBERS) {
      return { offset: token.offset, message: `begins a mapping of more than ${MAX_MEMBERS} members` };
    }
    for (const { key, value } of token.items) {
      for (const inner of [key, value]) if (inner) pending.push({ token: inner, depth: depth + 1 });
    }
  }
  return undefined;
}

function isList(token: CST.BlockMap | CST.FlowCollection): boolean {
  return token.type === 'flow-collection' && token.start.type === 'flow-seq-start';
}

/** Validates a mapping and its nested mappings against classes. Reports every fault with its place. */
export function checkEntry(
  type: new () => object,
  value: unknown,
  place: string,
  nested: Readonly<Record<string, new () => object>>,
  report: FaultReporter,
): void {
  if (!isJsonObject(value)) return report(`${place}: `, 'must be a mapping');
  const prefix = place === '' ? '' : `${place}.`;
  const empty = Object.keys(value).filter((name) => value[name] === null);
  for (const name of empty)
    report(`${prefix}${name}: `, 'is set but empty: give it a value, or leave it out');
  // Inherited names, such as `constructor`, would change the instance.
  const [inherited, own] = [true, false].map((is) => Object.keys(value).filter((name) => name in {} === is));
  for (const name of inherited ?? []) report(`${prefix}${name}: `, NO_SETTING);
  const instance = Object.assign(
    new type(),
    Object.fromEntries((own ?? []).map((name) => [name, value[name]])),
  );
  for (const error of validateSync(instance, { whitelist: true, forbidNonWhitelisted: true })) {
    if (empty.includes(error.property)) continue;
    const constraints = error.constraints ?? {};
    const fault =
      'whitelistValidation' in constraints
        ? NO_SETTING
        : error.value === undefined
          ? 'is required and not set'
          : Object.values(constraints).join('; ');
    // An unknown name is arbitrary text, so it is cut.
    report(`${prefix}${escapeControlChars(error.property.slice(0, MAX_NAME))}: `, fault);
  }
  for (const [name, inner] of Object.entries(nested)) {
    if (value[name] !== undefined && value[name] !== null) {
      checkEntry(inner, value[name], `${prefix}${name}`, {}, report);
    }
  }
}

/** Reads secret files, relative to the folder of the YAML file. Faults name the file and the cause only. */
export class SecretFiles {
  constructor(
    private readonly path: string,
    private readonly read: ReadFile,
    private readonly report: FaultReporter,
  ) {}

  optional(name: string | undefined, place: string, minimumLength: number): string | undefined {
    if (name === undefined) return undefined;
    try {
      const secret = this.read(resolve(dirname(this.path), name)).trim();
      if (secret.length >= minimumLength) return secret;
      this.report(`${place}: `, `the file holds fewer than ${minimumLength} characters`);
    } catch (error) {
      this.report(
        `${place}: `,
        `the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      );
    }
    return undefined;
  }
}
