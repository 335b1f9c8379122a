/** The definitions that the operator has accepted, as they stand in a file: what is shown, and what a call may reach. */
import { readFileSync, statSync } from 'node:fs';
import { digestOf } from '../lib/canonical-json.js';
import { replaceFile } from '../lib/durable-file.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import { readTools, type UpstreamTool } from './connection/read-tools.js';

/** By the upstream, and by its own name for the tool. An upstream that is not there was never accepted. */
export type Pins = ReadonlyMap<string, ReadonlyMap<string, UpstreamTool>>;

export const NO_PINS: Pins = new Map();

/** What is another now than was accepted. */
export interface Difference {
  /** The upstream's own name. */
  readonly tool: string;
  /** Digest of the accepted definition; null where the tool is new. */
  readonly from: string | null;
  /** Digest of the definition that there is; null where the tool is gone. */
  readonly to: string | null;
}

/** In the order of names. */
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

/** @throws Error where the file is there and cannot be read, or is not what was written. */
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

/** @throws Error where the text is not what {@link pinsText} writes. */
export function parsePins(text: string, file: string): Pins {
  const whole = parsed(text, file);
  if (whole.version !== 1 || !isJsonObject(whole.upstreams))
    throw new Error(`${file} is no file of accepted definitions`);
  return new Map(
    Object.entries(whole.upstreams).map(([upstream, tools]) => {
      if (!isJsonObject(tools)) throw new Error(`${file}: ${upstream}: is no mapping`);
      return [upstream, toolsOf(tools, `${file}: ${upstream}`)];
    }),
  );
}

/** Sorted, so that two of them can be compared, and kept under version control. */
export function pinsText(pins: Pins): string {
  const upstreams = sorted(pins).map(([upstream, tools]) => [
    upstream,
    Object.fromEntries(
      sorted(tools).map(([name, { digest, definition }]) => [name, { sha256: digest, definition }]),
    ),
  ]);
  return `${JSON.stringify({ version: 1, upstreams: Object.fromEntries(upstreams) }, null, 1)}\n`;
}

/** Puts a new file in the place of the old one: a reader sees the one or the other. */
export async function writePins(file: string, pins: Pins): Promise<void> {
  await replaceFile(file, pinsText(pins));
}

/** Differs once the file may have changed. Never throws. */
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
      // Who changes the file by hand would show one thing and accept another.
      if (sha256 !== digestOf(tool.definition))
        throw new Error(`${place}: ${name}: is not what its sha256 says`);
      return [name, tool];
    }),
  );
}

function parsed(text: string, file: string): JsonObject {
  try {
    const whole: unknown = JSON.parse(text);
    if (isJsonObject(whole)) return whole;
  } catch {
    // Said below.
  }
  throw new Error(`${file} holds no JSON object`);
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
