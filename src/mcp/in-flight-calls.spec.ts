import type { Principal } from '../core/principal.js';
import { InFlightCalls } from './in-flight-calls.js';
import { principal } from '../../test/support/principals.js';

const ALICE = principal();

it.each<[string, Partial<Principal>, unknown, boolean]>([
  ['its own call', {}, 7, true],
  ['its own call under a newer token', { tokenId: 'other', expiresAt: 9, scopes: ['a'] }, 7, true],
  ['another id', {}, 8, false],
  ['the id as a text', {}, '7', false],
  ['a call of another subject', { subject: 'bob' }, 7, false],
  ['a call of another issuer', { issuer: 'https://other' }, 7, false],
  ['a call through another client', { clientId: 'other' }, 7, false],
  ['no id', {}, undefined, false],
  ['an id that is null', {}, null, false],
  ['an id in a list', {}, [7], false],
])('cancels %s', (_name, who, id, cancelled) => {
  const calls = new InFlightCalls();
  const call = new AbortController();
  calls.add(ALICE, 7, call);
  calls.cancel({ ...ALICE, ...who }, id);
  expect(call.signal.aborted).toBe(cancelled);
});

it('does not cancel an ended call, and cancels a later one with the same id', () => {
  const calls = new InFlightCalls();
  const [first, second] = [new AbortController(), new AbortController()];
  calls.add(ALICE, 'a', first)();
  calls.cancel(ALICE, 'a');
  calls.add(ALICE, 'a', second);
  calls.cancel(ALICE, 'a');
  expect([first.signal.aborted, second.signal.aborted]).toEqual([false, true]);
});

it('cancels none of two calls with one id, and the remaining one later', () => {
  const calls = new InFlightCalls();
  const [first, second] = [new AbortController(), new AbortController()];
  const firstIsOver = calls.add(ALICE, 1, first);
  calls.add(ALICE, 1, second);
  calls.cancel(ALICE, 1);
  expect([first.signal.aborted, second.signal.aborted]).toEqual([false, false]);
  firstIsOver();
  calls.cancel(ALICE, 1);
  expect([first.signal.aborted, second.signal.aborted]).toEqual([false, true]);
});

it('separates identities whose joined names are equal', () => {
  const calls = new InFlightCalls();
  const call = new AbortController();
  calls.add({ ...ALICE, subject: 'a","b', clientId: 'c' }, 1, call);
  calls.cancel({ ...ALICE, subject: 'a', clientId: 'b","c' }, 1);
  expect(call.signal.aborted).toBe(false);
});
