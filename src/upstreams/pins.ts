/** Pins: accepted definitions of upstream tools, stored in a file. */
import { readFileSync, statSync } from 'node:fs';
import { digestOf } from '../lib/canonical-json.js';
import { replaceFile } from '../lib/durable-file.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import { readTools, type UpstreamTool } from './connection/read-tools.js';

/** By upstream and its tool name. An upstream without an entry was never accepted. */
export type Pins = ReadonlyMap<string, ReadonlyMap<string, UpstreamTool>>;

export const NO_PINS: Pins = new Map();

/** Difference between a pin and the current definition. */
export interface Difference {
  /** Tool name at the upstream. */
  readonly tool: string;
  /** Digest of the pin; null for a new tool. */
  readonly from: string | null;
  /** Digest of the current definition; null for a removed tool. */
  readonly to: string | null;
}

/** Sorted by name. */
export function differences(
  accepted: ReadonlyMap<string, UpstreamTool>,
  found: ReadonlyMap<string, UpstreamTool>,
): Difference[] {
  const names = [...new Set([...accepted.keys(), ...found.keys()])].sort();
  return names
    .map((tool) => ({
      tool,
      from: accepted.get(tool)?.digest ?? null,
      to: found.get(tool)?.digest ?? null,
    }))
    .filter(({ from, to }) => from !== to);
}

/** @throws Error if the file exists and is unreadable or invalid. */
export function readPins(file: string): Pins {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NO_PINS;
    throw new Error(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return parsePins(text, file);
}

/** @throws Error if the text differs from the format of {@link pinsText}. */
export function parsePins(text: string, file: string): Pins {
  const whole = parsed(text, file);
  if (whole.version !== 1 || !isJsonObject(whole.upstreams)) throw new Error(`${file} is not a pins file`);
  return new Map(
    Object.entries(whole.upstreams).map(([upstream, tools]) => {
      if (!isJsonObject(tools)) throw new Error(`${file}: ${upstream}: is not a mapping`);
      return [upstream, toolsOf(tools, `${file}: ${upstream}`)];
    }),
  );
}

/** Sorted, for comparison and version control. */
export function pinsText(pins: Pins): string {
  const upstreams = sorted(pins).map(([upstream, tools]) => [
    upstream,
    Object.fromEntries(
      sorted(tools).map(([name, { digest, definition }]) => [name, { sha256: digest, definition }]),
    ),
  ]);
  return `${JSON.stringify({ version: 1, upstreams: Object.fromEntries(upstreams) }, null, 1)}\n`;
}

/** Replaces the file atomically. */
export async function writePins(file: string, pins: Pins): Promise<void> {
  await replaceFile(file, pinsText(pins));
}

/** Changes when the file may have changed. Never throws. */
export function pinsState(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function toolsOf(tools: JsonObject, place: string): ReadonlyMap<string, UpstreamTool> {
  return new Map(
    Object.entries(tools).map(([name, entry]) => {
      const { sha256, definition } = (isJsonObject(entry) ? entry : {}) as JsonObject;
      const { tools: read, faults } = readTools([definition]);
      const [tool] = read;
      if (!tool) throw new Error(`${place}: ${faults.join('; ')}`);
      if (tool.name !== name) throw new Error(`${place}: ${name}: is the definition of ${tool.name}`);
      // A manual edit could show one definition and accept another.
      if (sha256 !== digestOf(tool.definition)) throw new Error(`${place}: ${name}: differs from its sha256`);
      return [name, tool];
    }),
  );
}

function parsed(text: string, file: string): JsonObject {
  try {
    const whole: unknown = JSON.parse(text);
    if (isJsonObject(whole)) return whole;
  } catch {
    // Reported below.
  }
  throw new Error(`${file} is not a JSON object`);
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
