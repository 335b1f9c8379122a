/** Builds the definition of an upstream tool from its pin and the settings of the operator. Pure. */
import { TARGET_NAME } from '../core/patterns.js';
import type { UpstreamSettings, UpstreamToolSettings } from '../config/settings.js';
import { isJsonObject, type JsonObject } from '../lib/json.js';
import type { AccessRule } from '../policy/access-rule.js';
import { strictestAssurance } from '../policy/policy.js';
import type { MountedToolDefinition } from '../tools/definitions.js';
import { matchingEntries, exposedName } from '../tools/mounted-names.js';
import { declaredArguments } from './declared-arguments.js';
import { readableInput, readableOutput } from './readable-schema.js';
import type { UpstreamTool } from './connection/read-tools.js';

export type Relay = MountedToolDefinition['relay'];

/** Limit of function names in model APIs, and so in many clients. */
const MAX_PLAIN_NAME = 64;
const HINTS = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const;

/**
 * @param withheld cause if the tool is withheld.
 * @returns undefined without an entry in the file: the tool is not mounted.
 * @throws Error if the tool cannot match the file.
 */
export function mountTool(
  upstream: Pick<UpstreamSettings, 'prefix' | 'tools'>,
  tool: UpstreamTool,
  relay: Relay,
  withheld: string | undefined,
): MountedToolDefinition | undefined {
  const entries = matchingEntries(upstream, tool.name);
  if (entries.length === 0) return undefined;
  const name = exposedName(upstream, tool.name);
  if (!TARGET_NAME.test(name)) throw new Error(`${name} exceeds the maximum length of a tool name`);
  const { inputSchema, ...definition } = tool.definition as JsonObject & { inputSchema: JsonObject };
  const recordedArguments = unique(entries, (entry) => entry.recordedArguments);
  const { names } = declaredArguments(inputSchema);
  const unknown = recordedArguments.find((argument) => !names.has(argument));
  if (unknown !== undefined)
    throw new Error(`audit_arguments names ${unknown}, which is not an argument of this tool`);
  const title = last(entries, 'title') ?? definition.title;
  const description = last(entries, 'description') ?? definition.description;
  const input = readableInput(inputSchema);
  const output = definition.outputSchema === undefined ? undefined : readableOutput(definition.outputSchema);
  const remarks = [
    ...(name.length > MAX_PLAIN_NAME
      ? [
          `its name ${name} has ${name.length} characters, but several clients and models accept at most ${MAX_PLAIN_NAME}: set a shorter prefix or name`,
        ]
      : []),
    ...input.repairs.map((repair) => `inputSchema: ${repair}`),
    ...(typeof output === 'object' ? output.repairs.map((repair) => `outputSchema: ${repair}`) : []),
    ...(typeof output === 'string' ? [`outputSchema ${output}: it is shown without it`] : []),
  ];
  return {
    kind: 'tool',
    name,
    rule: ruleOf(entries),
    recordedArguments,
    inputSchema,
    conditions: unique(entries, (entry) => entry.conditions),
    readOnly: entries.some((entry) => entry.readOnly),
    ...(withheld !== undefined && { withheld }),
    relay,
    remarks,
    entry: {
      name,
      ...(title !== undefined && { title }),
      ...(description !== undefined && { description }),
      inputSchema: input.schema,
      ...(typeof output === 'object' && { outputSchema: output.schema }),
      ...annotationsOf(definition.annotations),
    },
  };
}

/** Entries add up: each adds requirements. */
function ruleOf(entries: readonly UpstreamToolSettings[]): AccessRule {
  const assurance = strictestAssurance(entries.map((entry) => entry.assurance));
  if (assurance === 'contradiction') throw new Error('no login satisfies all of its entries');
  return {
    scopes: unique(entries, ({ scopes }) => scopes),
    roles: entries.map(({ roles }) => roles).filter((roles) => roles.length > 0),
    assurance,
    allowWorkload: assurance === null && entries.every(({ allowWorkload }) => allowWorkload),
    source: entries.map(({ source }) => source).join(' + '),
  };
}

/** Undeclared arguments, which no condition has checked. Empty if the tool accepts any. */
export function undeclaredArguments({ inputSchema }: MountedToolDefinition, args: JsonObject): string[] {
  const { names, takesOthers } = declaredArguments(inputSchema as JsonObject);
  return takesOthers ? [] : Object.keys(args).filter((name) => !names.has(name));
}

/** Known hints for clients; other members are dropped. */
function annotationsOf(given: unknown): { annotations?: JsonObject } {
  if (!isJsonObject(given)) return {};
  const { title } = given;
  const hints = HINTS.filter((hint) => typeof given[hint] === 'boolean');
  const annotations = {
    ...(typeof title === 'string' && { title }),
    ...Object.fromEntries(hints.map((hint) => [hint, given[hint]])),
  };
  return Object.keys(annotations).length > 0 ? { annotations } : {};
}

function last(entries: readonly UpstreamToolSettings[], member: 'title' | 'description'): string | undefined {
  return entries.findLast((entry) => entry[member] !== undefined)?.[member];
}

function unique<T>(
  entries: readonly UpstreamToolSettings[],
  of: (entry: UpstreamToolSettings) => readonly T[],
): readonly T[] {
  return [...new Set(entries.flatMap(of))];
}
