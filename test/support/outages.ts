/** Common parts of the outage specs: a call, its rejection with 503, and polling. */
import type { Answer, Gate } from './gate.js';
import { Runs } from './probe.tools.js';

export const runsOf = ({ app }: Gate) => app.nest.get(Runs).names;
/** Polls for 30 seconds. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let left = 300; !(await holds()); left--) {
    if (left === 0) throw new Error('The condition did not become true within 30 s');
    await wait(100);
  }
}

export const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The documented response to an outage: without a challenge and without the cause. */
export function expectUnavailable(answer: Answer, reason: string): void {
  expect({
    status: answer.status,
    code: answer.body?.error?.code,
    reason: answer.body?.error?.data?.reason,
  }).toEqual({
    status: 503,
    code: 503,
    reason,
  });
  expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d{0,2}$/);
  expect(answer.headers.has('www-authenticate')).toBe(false);
  expect(answer.body.error.message).not.toMatch(/127\.0\.0\.1|ECONN|fetch|ENOSPC|\//);
}

export const echo = (gate: Gate, token: string) => gate.callTool(token, 'echo', { text: 'hello' });
