/** Compares the audit log with the results of the agents. */
import { readFile } from 'node:fs/promises';
import type { AttemptResult } from './scenario.js';
import { chain } from './table.js';

/** Time limit in milliseconds: the server writes an outcome after its response. */
const WAIT_MS = 5_000;
const PAUSE_MS = 100;

export interface AuditLogRecord {
  readonly id: string;
  readonly event: string;
  readonly decision: string | null;
  readonly reason: string | null;
  readonly tool: string | null;
  readonly principal: { readonly sub: string; readonly client_id: string } | null;
  readonly on_behalf_of: string | null;
  readonly delegation: readonly { readonly sub: string; readonly type: string }[];
  readonly outcome: { readonly status: string } | null;
  readonly decision_id: string | null;
}

/** @returns the records once they contain all attempts, or the existing records after `WAIT_MS`. */
export async function waitForRecords(
  file: string,
  results: readonly AttemptResult[],
): Promise<AuditLogRecord[]> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const records = await readAuditLog(file);
    if (missingRecords(records, results).length === 0 || Date.now() > deadline) return records;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Missing or different records, as sentences. */
export function missingRecords(
  records: readonly AuditLogRecord[],
  results: readonly AttemptResult[],
): string[] {
  return results.flatMap((attempt) => {
    const fault = faultOf(records, attempt);
    return fault === undefined ? [] : [`${attempt.role.person}, ${attempt.shown}: ${fault}`];
  });
}

/** The decision of one attempt. Client ids are new in each run, so records of earlier runs do not match. */
export function decisionOf(
  records: readonly AuditLogRecord[],
  attempt: AttemptResult,
): AuditLogRecord | undefined {
  return decisionsOf(records, attempt)[0];
}

/** The delegation chain from the user to the client. */
export function drawDelegation(record: AuditLogRecord): string {
  const last = record.delegation.length - 1;
  return chain(
    record.delegation.map(
      ({ sub, type }, at) => `${sub} (${type})${at === last ? ` called ${record.tool ?? 'tools/list'}` : ''}`,
    ),
  );
}

function faultOf(records: readonly AuditLogRecord[], attempt: AttemptResult): string | undefined {
  const decisions = decisionsOf(records, attempt);
  const [decision] = decisions;
  if (!decision) return 'no record';
  if (decision.on_behalf_of !== attempt.role.person) return `on behalf of ${decision.on_behalf_of}`;
  const chainOf = decision.delegation.map(({ sub }) => sub);
  if (chainOf[0] !== attempt.role.person || chainOf.at(-1) !== attempt.clientId) {
    return `the chain is ${chainOf.join(' → ') || 'empty'}`;
  }
  if (attempt.tool === undefined) return undefined;
  if (decisions.length > 1) return `${decisions.length} decisions`;
  const { reason, decisionId, toolFailed } = attempt.answer;
  if (reason !== undefined) {
    const same = decision.decision === 'deny' && decision.reason === reason && decision.id === decisionId;
    return same ? undefined : `the record is ${decision.decision} ${decision.reason}, ${decision.id}`;
  }
  if (decision.decision !== 'allow') return `the record is ${decision.decision} ${decision.reason}`;
  const outcome = records.find((one) => one.event === 'outcome' && one.decision_id === decision.id);
  const expected = toolFailed ? 'tool_error' : 'ok';
  return outcome?.outcome?.status === expected
    ? undefined
    : `the outcome is ${outcome?.outcome?.status ?? 'missing'}`;
}

function decisionsOf(records: readonly AuditLogRecord[], attempt: AttemptResult): AuditLogRecord[] {
  return records.filter(
    (one) =>
      one.event === (attempt.tool === undefined ? 'list' : 'decision') &&
      one.principal?.client_id === attempt.clientId &&
      one.tool === (attempt.tool ?? null),
  );
}

async function readAuditLog(file: string): Promise<AuditLogRecord[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`The audit log ${file} cannot be read`, { cause });
  });
  // The last line can be incomplete while the server writes it.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditLogRecord);
}
