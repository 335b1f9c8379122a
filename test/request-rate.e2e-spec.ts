/** RATE_LIMIT_PER_MINUTE: rejects requests of a principal above the limit, for every method. */
import { Gate } from './support/gate.js';
import { makeKey } from './support/issuer.js';
import { ProbeModule } from './support/probe.tools.js';
import { echo, runsOf } from './support/outages.js';

describe('RATE_LIMIT_PER_MINUTE=3', () => {
  let gate: Gate;
  beforeAll(async () => {
    gate = await Gate.start({ imports: [ProbeModule], env: { RATE_LIMIT_PER_MINUTE: '3' } });
  });
  afterAll(() => gate.close());

  it('rejects the fourth request of a principal, for every method and across its tokens', async () => {
    const tokens = await Promise.all(
      [1, 2, 3, 4].map((id) => gate.token({ scope: 'probe', jti: `token-${id}` })),
    );
    const statuses: number[] = [];
    for (const token of tokens.slice(0, 3)) statuses.push((await echo(gate, token)).status);
    expect(statuses).toEqual([200, 200, 200]);

    const before = gate.auditLog().length;
    for (const answer of [
      await echo(gate, tokens[3] as string),
      await gate.modern(tokens[3], 'tools/list'),
      await gate.post(tokens[3], 'no JSON'),
    ]) {
      expect({
        status: answer.status,
        code: answer.body.error.code,
        reason: answer.body.error.data.reason,
      }).toEqual({
        status: 429,
        code: 429,
        reason: 'rate_limited',
      });
      const seconds = Number(answer.headers.get('retry-after'));
      expect(seconds).toBeGreaterThanOrEqual(1);
      expect(seconds).toBeLessThanOrEqual(60);
      expect(answer.headers.has('www-authenticate')).toBe(false);
    }
    const refused = gate.auditLog().filter((line) => line.reason === 'rate_limited');
    expect(refused).toHaveLength(3);
    expect(refused[0]).toMatchObject({ event: 'decision', decision: 'deny', principal: { sub: 'alice' } });
    expect(before).toBeGreaterThanOrEqual(3);
    expect(runsOf(gate)).toHaveLength(3);
  });

  it.each([
    ['another subject', { sub: 'bob' }],
    ['the same subject with another client', { client_id: 'other-agent' }],
    ['two principals whose concatenated names are equal', { sub: 'alice","agent', client_id: 'x' }],
  ])('does not limit %s', async (_name, claims) => {
    expect((await echo(gate, await gate.token({ scope: 'probe', ...claims }))).status).toBe(200);
  });

  it('does not count an invalid token for the principal that it names', async () => {
    const stranger = await makeKey('key-1');
    for (let at = 0; at < 10; at++) {
      const forged = await gate.token({ sub: 'victim', scope: 'probe' }, { key: stranger });
      expect((await echo(gate, forged)).status).toBe(401);
    }
    expect((await echo(gate, await gate.token({ sub: 'victim', scope: 'probe' }))).status).toBe(200);
  });
});
