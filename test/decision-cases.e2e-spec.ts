/**
 * Principal and call as input; response, decision and record as output. The cases are in
 * cases/decision-cases.json.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gate, PEOPLE, type GateOptions, type AuditLogLine } from './support/gate.js';
import type { Claims } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

interface Case {
  readonly name: string;
  readonly as: keyof typeof PEOPLE;
  readonly claims?: Claims;
  /**
   * Seconds since the user authenticated. Sets `auth_time` and replaces `{auth_time}` in the expectations.
   */
  readonly authenticatedAgo?: number;
  readonly env?: Record<string, string>;
  /** Files of `POLICY_DIR`. */
  readonly policy?: Record<string, string>;
  readonly call: { readonly name: string; readonly arguments: Record<string, unknown> };
  readonly answer: {
    readonly status: number;
    readonly code?: number;
    readonly reason?: string;
    readonly challenge?: string | null;
    /** The complete JSON-RPC `data` except `reason` and `decision_id`. */
    readonly data?: Record<string, unknown>;
    readonly isError?: boolean;
  };
  readonly record: AuditLogLine;
  readonly outcome?: string;
}

const cases = JSON.parse(readFileSync(join(__dirname, 'cases/decision-cases.json'), 'utf8')) as Case[];
const deploymentOf = ({ env = {}, policy }: Case) => JSON.stringify({ env, policy });
const deployments = [...new Set(cases.map(deploymentOf))];

describe.each(deployments)('deployment %s', (deployment) => {
  let gate: Gate;

  beforeAll(async () => {
    gate = await Gate.start({ ...(JSON.parse(deployment) as GateOptions), imports: [ProbeModule] });
  });
  afterAll(() => gate.close());

  it.each(cases.filter((one) => deploymentOf(one) === deployment))('$name', async (one) => {
    const authTime = Math.floor(Date.now() / 1000) - (one.authenticatedAgo ?? 0);
    const fill = <T>(value: T): T =>
      JSON.parse(
        JSON.stringify(value)
          .replaceAll('{issuer}', gate.issuer.url)
          .replaceAll('{metadata}', `${gate.origin}/.well-known/oauth-protected-resource/mcp`)
          .replaceAll('"{auth_time}"', String(authTime)),
      ) as T;
    const before = (await gate.settledAuditLog()).length;
    const runs = gate.app.nest.get(Runs).names;
    const ranBefore = runs.length;
    const token = await gate.token({
      ...PEOPLE[one.as],
      ...one.claims,
      ...(one.authenticatedAgo !== undefined && { auth_time: authTime }),
    });

    const answer = await gate.callTool(token, one.call.name, one.call.arguments);

    expect(answer.status).toBe(one.answer.status);
    expect(answer.body.error?.code).toBe(one.answer.code);
    expect(answer.body.error?.data.reason).toBe(one.answer.reason);
    if (one.answer.status === 200)
      expect(answer.body.result.isError ?? false).toBe(one.answer.isError ?? false);
    if (one.answer.challenge !== undefined) {
      expect(answer.headers.get('www-authenticate')).toBe(fill(one.answer.challenge));
    }

    const decision = gate.auditLog()[before] as AuditLogLine;
    expect(decision).toMatchObject(fill(one.record));
    if (one.answer.reason) expect(answer.body.error.data.decision_id).toBe(decision.id);
    if (one.answer.data) {
      const { reason } = one.answer;
      expect(answer.body.error.data).toEqual({ ...one.answer.data, reason, decision_id: decision.id });
    }
    if (one.outcome === undefined) {
      // No tool ran, and the denial is the only new record.
      expect(runs).toHaveLength(ranBefore);
      expect(gate.auditLog()).toHaveLength(before + 1);
    } else {
      const lines = await gate.waitForAuditLog((line) => line.decision_id === decision.id);
      expect(lines.slice(before)).toHaveLength(2);
      expect(lines.at(-1)).toMatchObject({
        event: 'outcome',
        decision: null,
        outcome: { status: one.outcome },
      });
    }

    // Lists use the same decision, and also show targets that lack only scopes or assurance.
    const { result } = (await gate.modern(token, 'tools/list')).body;
    const shown = (result.tools as { name: string }[]).some(({ name }) => name === one.call.name);
    const { decision: effect, reason } = one.record;
    expect(shown).toBe(effect === 'allow' || ['scope_missing', 'assurance_insufficient'].includes(reason));
  });
});
