/** The audit ledger, compared with what the agents saw. */
import { readFile } from 'node:fs/promises';
import type { Trial } from './scenario.js';
import { chain } from './table.js';

/** An outcome is written after its answer was sent. */
const WAIT_MS = 5_000;
const PAUSE_MS = 100;

export interface LedgerRecord {
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

/** @returns the records once they hold everything that the trials must leave, or those that are there after some seconds. */
export async function waitForRecords(file: string, trials: readonly Trial[]): Promise<LedgerRecord[]> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const records = await readLedger(file);
    if (missingRecords(records, trials).length === 0 || Date.now() > deadline) return records;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** What the ledger should hold and does not, in sentences. */
export function missingRecords(records: readonly LedgerRecord[], trials: readonly Trial[]): string[] {
  return trials.flatMap((trial) => {
    const fault = faultOf(records, trial);
    return fault === undefined ? [] : [`${trial.role.person}, ${trial.shown}: ${fault}`];
  });
}

/** The decision of one trial. Client ids are new in each run, so that an old ledger does not confuse. */
export function decisionOf(records: readonly LedgerRecord[], trial: Trial): LedgerRecord | undefined {
  return decisionsOf(records, trial)[0];
}

/** Who acted for whom, from the person to the client. */
export function drawDelegation(record: LedgerRecord): string {
  const last = record.delegation.length - 1;
  return chain(
    record.delegation.map(
      ({ sub, type }, at) => `${sub} (${type})${at === last ? ` called ${record.tool ?? 'tools/list'}` : ''}`,
    ),
  );
}

function faultOf(records: readonly LedgerRecord[], trial: Trial): string | undefined {
  const decisions = decisionsOf(records, trial);
  const [decision] = decisions;
  if (!decision) return 'no record';
  if (decision.on_behalf_of !== trial.role.person) return `on behalf of ${decision.on_behalf_of}`;
  const chainOf = decision.delegation.map(({ sub }) => sub);
  if (chainOf[0] !== trial.role.person || chainOf.at(-1) !== trial.clientId) {
    return `the chain is ${chainOf.join(' → ') || 'empty'}`;
  }
  if (trial.tool === undefined) return undefined;
  if (decisions.length > 1) return `${decisions.length} decisions`;
  const { reason, decisionId, toolFailed } = trial.answer;
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

function decisionsOf(records: readonly LedgerRecord[], trial: Trial): LedgerRecord[] {
  return records.filter(
    (one) =>
      one.event === (trial.tool === undefined ? 'list' : 'decision') &&
      one.principal?.client_id === trial.clientId &&
      one.tool === (trial.tool ?? null),
  );
}

async function readLedger(file: string): Promise<LedgerRecord[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`The ledger ${file} cannot be read`, { cause });
  });
  // The last line may still be in the middle of being written.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerRecord);
}
