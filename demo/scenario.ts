/** Who tries what, and what must come of it. */
import type { Agent, Answer, Result, Sdk } from './agents.js';

export interface Role {
  readonly person: string;
  readonly title: string;
  /** From the one that the person speaks to, to the one that calls the tools. */
  readonly agents: readonly [string, ...string[]];
  readonly sdk: Sdk;
  /** Tools in the list: those that may be called, and those that further scopes would open. */
  readonly lists: readonly string[];
  /** Reason of each refusal that must come; every other attempt must be allowed. */
  readonly refusals: Readonly<Record<string, string>>;
}

export interface Attempt {
  readonly tool: string;
  readonly shown: string;
  readonly args: Record<string, unknown>;
  /** What of the result is worth a place in the table. */
  readonly tell: (result: Result) => string;
}

export interface AttemptResult {
  readonly role: Role;
  /** OAuth client that sent the request. */
  readonly clientId: string;
  /** Undefined: the list of tools. */
  readonly tool: string | undefined;
  readonly shown: string;
  readonly answer: Answer;
  readonly told: string;
  /** What should have come instead; undefined where all is well. */
  readonly difference: string | undefined;
}

/** In the order of the alphabet, as lists are compared. */
export const TOOL_NAMES = ['delete_customer', 'read_customer', 'send_email', 'update_customer'];
const UNKNOWN_TOOL = 'drop_database';
const READ = '123';
const DELETE = '127';

export const ROLES: readonly Role[] = [
  {
    person: 'alice',
    title: 'developer',
    agents: ['support-agent'],
    sdk: 'v2',
    lists: ['read_customer', 'send_email', 'update_customer'],
    refusals: {
      update_customer: 'scope_missing',
      delete_customer: 'role_missing',
      [UNKNOWN_TOOL]: 'tool_unknown',
    },
  },
  {
    person: 'bob',
    title: 'admin',
    agents: ['planner-agent', 'operations-agent'],
    sdk: 'v1',
    lists: TOOL_NAMES,
    refusals: { [UNKNOWN_TOOL]: 'tool_unknown' },
  },
  {
    person: 'carol',
    title: 'contractor',
    agents: ['research-agent'],
    sdk: 'v1',
    lists: ['read_customer', 'send_email', 'update_customer'],
    refusals: {
      read_customer: 'scope_missing',
      update_customer: 'scope_missing',
      send_email: 'scope_missing',
      delete_customer: 'role_missing',
      [UNKNOWN_TOOL]: 'tool_unknown',
    },
  },
];

const ATTEMPTS: readonly Attempt[] = [
  {
    tool: 'read_customer',
    shown: `read_customer ${READ}`,
    args: { customer_id: READ },
    tell: ({ structuredContent }) => String(structuredContent?.name),
  },
  {
    tool: 'update_customer',
    shown: `update_customer ${READ}`,
    args: { customer_id: READ, tier: 'standard' },
    tell: ({ structuredContent }) => `tier is ${String(structuredContent?.tier)}`,
  },
  {
    tool: 'send_email',
    shown: 'send_email',
    args: { to: 'ada.marchetti@example.com', subject: 'Hello', body: 'Sent by an agent of the demo.' },
    tell: ({ structuredContent }) => `to ${String(structuredContent?.to)}`,
  },
  {
    tool: 'delete_customer',
    shown: `delete_customer ${DELETE}`,
    args: { customer_id: DELETE },
    tell: ({ structuredContent }) => `deleted: ${String(structuredContent?.deleted)}`,
  },
  { tool: UNKNOWN_TOOL, shown: UNKNOWN_TOOL, args: {}, tell: () => '' },
];

const STATUS: Readonly<Record<string, number>> = { scope_missing: 403, role_missing: 403, tool_unknown: 404 };

/** @param toolsMayFail at a server that is not ours: a customer may be gone already, mail may not be configured. */
export async function runRole(
  role: Role,
  agent: Agent,
  clientId: string,
  toolsMayFail: boolean,
): Promise<AttemptResult[]> {
  const listed = await agent.listTools();
  const results: AttemptResult[] = [
    {
      role,
      clientId,
      tool: undefined,
      shown: 'tools/list',
      answer: listed,
      told: toldList(role, listed),
      difference: listDifference(role, listed),
    },
  ];
  for (const { tool, shown, args, tell } of ATTEMPTS) {
    const answer = await agent.callTool(tool, args);
    const difference = callDifference(role.refusals[tool], answer, toolsMayFail);
    results.push({ role, clientId, tool, shown, answer, told: toldCall(answer, tell), difference });
  }
  return results;
}

export function callDifference(
  refusal: string | undefined,
  { http, reason, toolFailed }: Answer,
  toolsMayFail: boolean,
): string | undefined {
  const status = refusal === undefined ? 200 : STATUS[refusal];
  if (http !== status || reason !== refusal) return `${status} ${refusal ?? 'allowed'}`;
  return toolFailed && !toolsMayFail ? 'a result of the tool' : undefined;
}

function listDifference(role: Role, answer: Answer): string | undefined {
  const same = answer.http === 200 && namesOf(answer).join() === role.lists.join();
  return same ? undefined : `200 with ${role.lists.join(', ') || 'no tools'}`;
}

/** Tools that the person may call, apart from those that are only listed: calls to them are blocked. */
function toldList({ refusals }: Role, answer: Answer): string {
  if (answer.reason !== undefined) return toldRefusal(answer);
  const names = namesOf(answer);
  const [callable, blocked] = [false, true].map((isRefused) =>
    names.filter((name) => name in refusals === isRefused).join(', '),
  );
  return `may call ${callable || 'no tool'}${blocked ? `; lacks a scope for ${blocked}` : ''}`;
}

function toldCall(answer: Answer, tell: Attempt['tell']): string {
  if (answer.reason !== undefined) return toldRefusal(answer);
  if (answer.toolFailed || !answer.result)
    return `allowed, but the tool said: ${answer.message ?? 'nothing'}`;
  return `allowed, ${tell(answer.result)}`;
}

function toldRefusal({ reason, message }: Answer): string {
  return `denied, ${reason}: ${message}`;
}

function namesOf({ result }: Answer): string[] {
  return (result?.tools ?? []).map((tool) => tool.name).sort();
}
