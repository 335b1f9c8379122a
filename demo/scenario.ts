/** The attempts of each user and their expected results. */
import type { Agent, Answer, Result, Sdk } from './agents.js';

export interface Role {
  readonly person: string;
  readonly title: string;
  /** From the agent of the user to the agent that calls the tools. */
  readonly agents: readonly [string, ...string[]];
  readonly sdk: Sdk;
  /** Listed tools: the callable ones and those that further scopes would permit. */
  readonly lists: readonly string[];
  /** Reason of each expected denial by tool; every other attempt must be allowed. */
  readonly refusals: Readonly<Record<string, string>>;
}

export interface Attempt {
  readonly tool: string;
  readonly shown: string;
  readonly args: Record<string, unknown>;
  /** The part of the result that the table shows. */
  readonly tell: (result: Result) => string;
}

export interface AttemptResult {
  readonly role: Role;
  /** OAuth client that sent the request. */
  readonly clientId: string;
  /** Undefined: tools/list. */
  readonly tool: string | undefined;
  readonly shown: string;
  readonly answer: Answer;
  readonly told: string;
  /** The expected result if the actual one differs, otherwise undefined. */
  readonly difference: string | undefined;
}

/** In alphabetical order, as lists are compared. */
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

/** @param toolsMayFail true for an external server: its customers or e-mail settings can be missing. */
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

/** Callable tools, then tools that are only listed. */
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
    return `allowed, but the tool failed: ${answer.message ?? 'no message'}`;
  return `allowed, ${tell(answer.result)}`;
}

function toldRefusal({ reason, message }: Answer): string {
  return `denied, ${reason}: ${message}`;
}

function namesOf({ result }: Answer): string[] {
  return (result?.tools ?? []).map((tool) => tool.name).sort();
}
