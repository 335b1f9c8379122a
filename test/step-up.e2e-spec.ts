/** Authentication method and age of a user's login (RFC 9470). More cases: cases/decision-cases.json. */
import { Injectable, Module, type Type } from '@nestjs/common';
import { createApp } from '../src/create-app.js';
import { AllowWorkload, RequireAssurance, RequireScopes } from '../src/policy/decorators.js';
import { Tool } from '../src/tools/decorators.js';
import { freePort, Gate, gateEnv, temporaryFolder, type Answer } from './support/gate.js';
import type { Claims } from './support/issuer.js';
import { ProbeModule, Runs } from './support/probe.tools.js';

const GOLD = 'urn:example:gold';
const PLATINUM = 'urn:example:platinum';

const ago = (seconds: number) => Math.floor(Date.now() / 1000) - seconds;
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function challengeOf(answer: Answer): Record<string, string> {
  const header = answer.headers.get('www-authenticate') ?? '';
  return Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

describe('authentication requirements at the gateway', () => {
  let gate: Gate;
  let runs: readonly string[];

  beforeAll(async () => {
    gate = await Gate.start({ imports: [ProbeModule], env: { RATE_LIMIT_PER_MINUTE: '0' } });
    runs = gate.app.nest.get(Runs).names;
  });
  afterAll(() => gate.close());

  /** The listed targets by label. */
  async function shown(token: string, era: 'modern' | 'legacy'): Promise<string[]> {
    const names = async (method: string, key: string) =>
      ((await gate[era](token, method)).body.result[key] as { name: string }[]).map(({ name }) => name);
    return [
      ...(await names('tools/list', 'tools')),
      ...(await names('resources/list', 'resources')),
      ...(await names('prompts/list', 'prompts')),
    ];
  }

  const TOOLS = ['sensitive', 'sensitive_admin', 'sensitive_open', 'recent'];

  function ask(token: string, name: string, era: 'modern' | 'legacy'): Promise<Answer> {
    if (name === 'sealed') return gate[era](token, 'resources/read', { uri: 'docs://sealed' });
    if (name === 'whisper') return gate[era](token, 'prompts/get', { name, arguments: { name: 'Ada' } });
    return gate[era](token, 'tools/call', { name, arguments: {} });
  }

  describe.each(['modern', 'legacy'] as const)('with the %s protocol', (era) => {
    it('accept one new token that satisfies the challenge, so the user logs in once', async () => {
      const before = runs.length;
      const refused = await ask(await gate.token({ scope: '' }), 'sensitive', era);
      expect(refused.status).toBe(401);
      expect(refused.body.error).toMatchObject({ code: 401, data: { reason: 'assurance_insufficient' } });
      expect(runs).toHaveLength(before);

      const { error, scope, acr_values, max_age, resource_metadata } = challengeOf(refused);
      expect(error).toBe('insufficient_user_authentication');
      expect(resource_metadata).toBe(`${gate.origin}/.well-known/oauth-protected-resource/mcp`);
      const token = await gate.token({
        scope,
        acr: acr_values?.split(' ')[0],
        auth_time: ago(Number(max_age) - 5),
      });
      expect((await ask(token, 'sensitive', era)).status).toBe(200);
      expect(runs.slice(before)).toEqual(['sensitive']);
    });

    it.each<[string, Record<string, unknown>]>([
      ['resources/read', { uri: 'docs://sealed' }],
      // Revision 2026-07-28 has no such method.
      ...(era === 'legacy'
        ? [['resources/subscribe', { uri: 'docs://sealed' }] as [string, Record<string, unknown>]]
        : []),
      ['prompts/get', { name: 'whisper', arguments: { name: 'Ada' } }],
      [
        'completion/complete',
        { ref: { type: 'ref/prompt', name: 'whisper' }, argument: { name: 'name', value: 'A' } },
      ],
    ])('apply to %s', async (method, params) => {
      const before = runs.length;
      const refused = await gate[era](await gate.token({ scope: 'probe' }), method, params);
      expect(refused.status).toBe(401);
      expect(challengeOf(refused)).toMatchObject({
        error: 'insufficient_user_authentication',
        scope: 'probe',
        acr_values: `${GOLD} ${PLATINUM}`,
      });
      expect(gate.auditLog().at(-1)).toMatchObject({
        decision: 'deny',
        reason: 'assurance_insufficient',
        request: { method },
      });
      expect(runs).toHaveLength(before);
      const met = await gate.token({ scope: 'probe', acr: GOLD });
      expect((await gate[era](met, method, params)).status).toBe(200);
    });

    it('list permitted targets and targets that another scope or login would permit', async () => {
      const tokens: Claims[] = ['', 'probe', 'probe probe.sensitive'].flatMap((scope) =>
        ['urn:example:silver', GOLD, PLATINUM].flatMap((acr) =>
          [undefined, ago(120), ago(10)].map((auth_time) => ({
            scope,
            acr,
            auth_time,
            roles: ['admin'],
          })),
        ),
      );
      const seen = new Set<string>();
      for (const claims of tokens) {
        const token = await gate.token(claims);
        const list = await shown(token, era);
        for (const name of [...TOOLS, 'sealed', 'whisper']) {
          const { status, body } = await ask(token, name, era);
          const reason = status === 200 ? 'allow' : (body.error.data.reason as string);
          const isShown = ['allow', 'scope_missing', 'assurance_insufficient'].includes(reason);
          expect([claims, name, list.includes(name)]).toEqual([claims, name, isShown]);
          seen.add(`${name} ${reason}`);
        }
      }
      const possible = (reasons: string[]) => (name: string) => reasons.map((reason) => `${name} ${reason}`);
      expect([...seen].sort()).toEqual(
        [
          ...['recent', 'sealed', 'sensitive', 'sensitive_admin', 'whisper'].flatMap(
            possible(['allow', 'assurance_insufficient', 'scope_missing']),
          ),
          ...['sensitive_open'].flatMap(possible(['allow', 'assurance_insufficient'])),
        ].sort(),
      );
    });
  });

  it('are evaluated at each call, so a login can become too old under a valid token', async () => {
    const authTime = ago(55);
    const token = await gate.token({ scope: 'probe', auth_time: authTime });
    expect((await ask(token, 'recent', 'modern')).status).toBe(200);
    expect(await shown(token, 'modern')).toContain('recent');
    while ((await ask(token, 'recent', 'modern')).status === 200) await sleep(200);
    expect(Date.now() / 1000 - authTime).toBeGreaterThan(60);
    expect((await ask(token, 'recent', 'modern')).status).toBe(401);
    expect(await shown(token, 'modern')).toContain('recent');
    expect((await gate.callTool(token, 'echo', { text: 'hi' })).status).toBe(200);
  });

  it.each<[string, Claims]>([
    ['an acr that is not a string', { acr: { value: GOLD } }],
    ['an acr that only contains a required one', { acr: `${GOLD}er` }],
    ['an acr in another claim', { amr: [GOLD], acrs: undefined, acr_values: GOLD }],
    ['a non-numeric time', { acr: GOLD, auth_time: 'now' }],
    ['a time in milliseconds', { acr: GOLD, auth_time: Date.now() }],
    ['the issue time of the token', { acr: GOLD, iat: ago(1) }],
    ['a null time', { acr: GOLD, auth_time: null }],
  ])('are not satisfied by %s', async (_name, claims) => {
    const before = runs.length;
    const answer = await ask(
      await gate.token({ scope: 'probe probe.sensitive', ...claims }),
      'sensitive',
      'modern',
    );
    expect(answer.status).toBe(401);
    // A malformed claim can also invalidate the whole token.
    expect(['assurance_insufficient', 'token_claims']).toContain(answer.body.error.data.reason);
    expect(runs).toHaveLength(before);
  });
});

@Injectable()
class OnlyAssurance {
  @Tool({ name: 'only_assurance', description: 'd' })
  @RequireAssurance({ maxAge: 60 })
  run(): void {}
}

@Injectable()
@RequireScopes('a')
@RequireAssurance({ acr: ['gold'] })
class Impossible {
  @Tool({ name: 'impossible', description: 'd' })
  @RequireAssurance({ acr: ['iron'] })
  run(): void {}
}

@Injectable()
@RequireScopes('a')
class Machine {
  @Tool({ name: 'machine_assurance', description: 'd' })
  @AllowWorkload()
  @RequireAssurance({ maxAge: 60 })
  run(): void {}
}

@Injectable()
@RequireScopes('a')
class NoTool {
  @RequireAssurance({ maxAge: 60 })
  run(): void {}
}

describe('declarations of authentication requirements', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  async function boot(provider: Type): Promise<string> {
    @Module({ providers: [provider] })
    class Under {}
    const env = gateEnv('http://127.0.0.1:9', await freePort(), folder.path);
    return createApp(env, { imports: [Under] }).then(
      () => 'started',
      (error: Error) => error.message,
    );
  }

  it.each([
    [OnlyAssurance, 'test/step-up.e2e-spec.ts: OnlyAssurance.run: no access rule'],
    [
      Impossible,
      'test/step-up.e2e-spec.ts: Impossible.run: @RequireAssurance asks for an acr of gold, and of iron',
    ],
    [Machine, 'test/step-up.e2e-spec.ts: Machine.run: @AllowWorkload contradicts @RequireAssurance'],
    [NoTool, 'NoTool.run: has an access rule but is not a tool'],
  ] as const)('reject %p: %s', async (provider, sentence) => {
    expect(await boot(provider)).toContain(sentence);
  });
});
