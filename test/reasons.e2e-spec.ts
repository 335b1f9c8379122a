/**
 * Every reason of the closed list and every outcome of an allowed call: response, one record and tool runs.
 */
import { Injectable, Module, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { Request } from 'express';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyChain } from '../src/cli/audit/verify.js';
import { REASONS, type Reason } from '../src/core/reasons.js';
import { usualClaims, usualHeader } from './cases/bad-tokens.js';
import { forge } from './cases/forge.js';
import { sendRaw } from './cases/raw-http.js';
import { Gate, readAuditLog, temporaryFolder, type Answer, type AuditLogLine } from './support/gate.js';
import { IntrospectionEndpoint } from './support/introspection-endpoint.js';
import { makeKey, TestIssuer, type Claims } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';
import { until } from './support/remote.js';

/** Differences from the default server. */
interface Deployment {
  readonly env?: Record<string, string>;
  /** Files of `POLICY_DIR`. */
  readonly policy?: Record<string, string>;
  /** `down`: the issuer is unreachable; `introspecting`: the gateway introspects each token. */
  readonly issuer?: 'down' | 'introspecting';
}

/** Differences from a valid call of `echo` with a valid token. `{now±SECONDS}` becomes a number. */
interface Provocation {
  readonly deployment?: Deployment;
  readonly claims?: Claims;
  /** Members of the token header. */
  readonly header?: Record<string, unknown>;
  /** Signs with an unknown key under the key id of the issuer. */
  readonly signedByStranger?: boolean;
  /** Replaces the token; null sends no token. */
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  /** Replaces the message. */
  readonly body?: string;
  /** Replaces all header lines. */
  readonly lines?: readonly (readonly [string, string])[];
  /** Code that wraps the request: one of {@link AROUND}. */
  readonly around?: keyof typeof AROUND;
}

interface Case {
  readonly name: string;
  readonly provoke: Provocation;
}

interface Refusal extends Case {
  readonly reason: Reason;
  readonly answer: {
    readonly status: number;
    readonly code: number;
    /** Set when the response contains another reason than the record. */
    readonly reason?: Reason;
    /** The complete JSON-RPC `data` except `reason` and `decision_id`. */
    readonly data?: Record<string, unknown>;
    readonly challenge: string | null;
    readonly retryAfter: boolean;
  };
  readonly record: Partial<Recorded>;
}

interface Allowed extends Case {
  readonly record: Partial<Recorded>;
  /** Counts in the record of a list; the list shows `shown` targets. */
  readonly list?: { readonly shown: number; readonly hidden: number };
  /** Outcome of the call. */
  readonly outcome?: string;
  readonly ran: readonly string[];
}

/** Compared members of a record; the default values are in {@link BLANK}. */
interface Recorded {
  readonly event: string;
  readonly decision: string;
  readonly reason: Reason | null;
  readonly rule: string | null;
  readonly tool: string | null;
  /** The subject. */
  readonly principal: string | null;
  readonly on_behalf_of: string | null;
  readonly required: object;
  readonly missing: object;
}

const NOTHING = { scopes: [], roles: [], acr: [], max_age: null };
const BLANK = {
  reason: null,
  rule: null,
  tool: null,
  principal: null,
  on_behalf_of: null,
  required: NOTHING,
  missing: NOTHING,
};

const readCases = (file: string) =>
  JSON.parse(readFileSync(join(__dirname, 'cases', file), 'utf8')) as unknown;
const refusals = readCases('reason-cases.json') as Refusal[];
const allowed = readCases('allowed-cases.json') as Allowed[];
const deploymentOf = ({ provoke }: Case) => JSON.stringify(provoke.deployment ?? {});
const deployments = [...new Set([...refusals, ...allowed].map(deploymentOf))];

type Send = () => Promise<Answer>;

/** Conditions that need code: each function sends the request under its conditions. */
const AROUND = {
  /** Makes one call and waits for its outcome record. */
  'after a call': async (gate: Gate, send: Send) => {
    await gate.callTool(await gate.token({ scope: 'probe' }), 'echo', { text: 'first' });
    await gate.waitForAuditLog(({ event }) => event === 'outcome');
    return send();
  },
  /** A second hard link prevents writing to the audit log until it is removed. */
  'without the audit log': async (gate: Gate, send: Send) => {
    const { file } = gate.app.settings.audit;
    linkSync(file, `${file}.second`);
    const answer = await send().finally(() => rmSync(`${file}.second`));
    // The record is written at once if the link is removed early enough, else late after a gap record.
    await until(() => readAuditLog(file).some(({ reason }) => reason === 'audit_unavailable'));
    return answer;
  },
  /** Cancels the request as soon as the tool runs. */
  'cancelled while it runs': async (gate: Gate, send: Send) => {
    const { aborted, names } = gate.app.nest.get(Runs);
    const [ran, before] = [names.length, aborted.length];
    const answer = send();
    await until(() => names.length > ran);
    await gate.post(await gate.token({ scope: 'probe' }), {
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 1 },
    });
    await until(() => aborted.length > before);
    return answer;
  },
};

/** A guard of the host application that fails before the decision. */
@Injectable()
class FailingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.switchToHttp().getRequest<Request>().get('x-fail') !== undefined) {
      throw new Error('connect postgres://root:hunter2@db failed');
    }
    return true;
  }
}

@Module({ providers: [{ provide: APP_GUARD, useClass: FailingGuard }] })
class FailingModule {}

const folder = temporaryFolder();
afterAll(() => folder.remove());

it('has a case for every reason of the closed list', () => {
  const covered = new Set(refusals.map(({ reason }) => reason));
  expect([...covered].sort()).toEqual([...REASONS].sort());
});

describe.each(deployments)('deployment %s', (deployment) => {
  const { env, policy, issuer: kind } = JSON.parse(deployment) as Deployment;
  const file = join(folder.path, `${deployments.indexOf(deployment)}.jsonl`);
  let issuer: TestIssuer;
  let endpoint: IntrospectionEndpoint | undefined;
  let gate: Gate;

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    if (kind === 'down') issuer.failing = 503;
    if (kind === 'introspecting') endpoint = await IntrospectionEndpoint.start();
    gate = await Gate.start({
      issuer,
      database: false,
      imports: [ProbeModule, FailingModule],
      env: { ...env, AUDIT_FILE: file },
      ...(policy && { policy }),
      ...(endpoint && { identity: introspecting(endpoint) }),
    });
  });
  afterAll(() => Promise.all([gate.close(), issuer.stop(), endpoint?.stop()]));

  const runs = () => gate.app.nest.get(Runs).names;
  const of = <T extends Case>(cases: readonly T[]) => cases.filter((one) => deploymentOf(one) === deployment);

  /** Sends the request of a case. @returns the response, the records so far and the tool runs. */
  async function provoked({ provoke }: Case) {
    const { headers, method = 'tools/call', body, lines: bytes } = provoke;
    const params = provoke.params ?? { name: 'echo', arguments: { text: 'hello' } };
    const token = await tokenFor(provoke);
    let [before, ranBefore] = [0, 0];
    const send = () => {
      [before, ranBefore] = [gate.auditLog().length, runs().length];
      if (bytes) return sentRaw(bytes);
      return body === undefined
        ? gate.modern(token, method, params, headers)
        : gate.post(token, body, headers);
    };
    const answer = await (provoke.around ? AROUND[provoke.around](gate, send) : send());
    return { answer, lines: () => gate.auditLog().slice(before), ran: () => runs().slice(ranBefore) };
  }

  async function tokenFor(provoke: Provocation): Promise<string | undefined> {
    const { token, signedByStranger } = provoke;
    if (token !== undefined) return token ?? undefined;
    const key = signedByStranger ? await makeKey(issuer.key.kid) : issuer.key;
    const usual = { header: usualHeader({ key }), claims: usualClaims({ issuer, resource: gate.url }) };
    return forge(
      {
        header: { ...usual.header, ...provoke.header },
        claims: { ...usual.claims, ...withTimes(provoke.claims ?? {}) },
      },
      key,
    );
  }

  async function sentRaw(lines: NonNullable<Provocation['lines']>): Promise<Answer> {
    const { headers, ...answer } = await sendRaw(gate.origin, { headers: lines });
    return { ...answer, headers: new Headers(headers) };
  }

  async function withAddresses(challenge: string | null): Promise<string | null> {
    const metadata = `${gate.origin}/.well-known/oauth-protected-resource/mcp`;
    const { scopes_supported: scopes } = (await (await fetch(metadata)).json()) as {
      scopes_supported: string[];
    };
    return challenge && challenge.replace('{metadata}', metadata).replace('{scopes}', scopes.join(' '));
  }

  for (const one of of(refusals)) {
    it(`records ${one.reason}: ${one.name}`, async () => {
      const { reason, record } = one;
      const { status, code, challenge, retryAfter, data = {}, reason: told = reason } = one.answer;
      const { answer, lines, ran } = await provoked(one);

      expect(lines()).toHaveLength(1);
      const line = lines()[0] as AuditLogLine;
      expect(recordedIn(line)).toEqual({ ...BLANK, decision: 'deny', reason, ...record });
      expect(line.outcome).toBeNull();
      expect(answer.status).toBe(status);
      expect(answer.body.error).toEqual({
        code,
        message: expect.any(String) as string,
        data: {
          ...data,
          ...(retryAfter && { retry_after: Number(answer.headers.get('retry-after')) }),
          reason: told,
          decision_id: line.id,
        },
      });
      expect(answer.headers.get('www-authenticate')).toBe(await withAddresses(challenge));
      expect(answer.headers.has('retry-after')).toBe(retryAfter);
      expect(answer.text).not.toContain('hunter2');
      expect(ran()).toEqual([]);
    });
  }

  for (const one of of(allowed)) {
    it(`allows and records: ${one.name}`, async () => {
      const { answer, lines, ran } = await provoked(one);
      const decision = lines()[0] as AuditLogLine;
      expect(recordedIn(decision)).toEqual({ ...BLANK, decision: 'allow', ...one.record });
      expect(answer.status).toBe(200);
      expect(ran()).toEqual(one.ran);
      if (one.list) {
        expect(decision.list).toEqual(one.list);
        expect(answer.body.result.tools).toHaveLength(one.list.shown);
      }
      if (one.outcome === undefined) {
        expect(lines()).toHaveLength(1);
        return;
      }
      expect(answer.body.result.isError ?? false).toBe(['tool_error', 'failed'].includes(one.outcome));
      await gate.waitForAuditLog((line) => line.decision_id === decision.id);
      expect(lines()).toHaveLength(2);
      const end = lines()[1] as AuditLogLine;
      expect(recordedIn(end)).toEqual({ ...recordedIn(decision), event: 'outcome', decision: null });
      expect(end.outcome).toEqual({ status: one.outcome, duration_ms: expect.any(Number) as number });
      expect(end.id).not.toBe(decision.id);
    });
  }

  it('leaves a verifiable audit log', async () => {
    await gate.close();
    // Proves that no late record followed.
    const ids = readAuditLog(file).map(({ id }) => id as string);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await verifyChain([file], { keys: undefined, expected: undefined })).toMatchObject({
      fault: null,
      notes: [],
      records: ids.length,
    });
  });
});

function recordedIn(line: AuditLogLine): Recorded {
  const { event, decision, reason, rule, tool, principal, on_behalf_of, required, missing } = line;
  return {
    event,
    decision,
    reason,
    rule,
    tool,
    principal: principal?.sub ?? null,
    on_behalf_of,
    required,
    missing,
  } as Recorded;
}

/** Replaces `{now-300}` and similar texts with numbers. */
function withTimes(claims: Claims): Claims {
  const now = Math.floor(Date.now() / 1000);
  const text = JSON.stringify(claims).replace(/"\{now([+-]\d+)\}"/g, (_, offset) =>
    String(now + Number(offset)),
  );
  return JSON.parse(text) as Claims;
}

/** Settings with one issuer whose tokens the gateway introspects. */
function introspecting({ issuer, url }: IntrospectionEndpoint): object {
  const secret = join(folder.path, 'secret');
  writeFileSync(secret, 'a secret');
  const introspection = { endpoint: url, client_id: 'gate', client_secret_file: secret };
  return { issuers: [{ issuer, introspection }] };
}
