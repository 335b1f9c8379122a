import { inForm } from './response-format.js';

const STREAM = { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' } };
const EVENTS = ': keepalive\n\nevent: message\ndata: {"method":"a"}\n\nevent: message\ndata: {"id":1}\n\n';

describe('inForm', () => {
  it('gives the last message of a stream to a client that accepts only JSON', async () => {
    const answer = await inForm(new Response(EVENTS, STREAM), 'json');
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(await answer.json()).toEqual({ id: 1 });
  });

  it('returns no document for a stream without an answer', async () => {
    const answer = await inForm(new Response(': keepalive\n\n', STREAM), 'json');
    expect([answer.status, await answer.text()]).toEqual([499, '']);
  });

  it('gives a document as one event to a client that accepts only event streams', async () => {
    const answer = await inForm(Response.json({ id: 1 }), 'events');
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    expect(await answer.text()).toBe('event: message\ndata: {"id":1}\n\n');
  });

  it.each([
    [
      'an error for a client that accepts only event streams',
      () => Response.json({}, { status: 400 }),
      'events',
    ],
    ['an empty answer', () => new Response(null, { status: 202 }), 'events'],
    ['a stream for a client that accepts both', () => new Response(EVENTS, STREAM), 'either'],
    ['a document for a client that accepts only JSON', () => Response.json({ id: 1 }), 'json'],
  ] as const)('does not change %s', async (_what, make, form) => {
    const answer = make();
    expect(await inForm(answer, form)).toBe(answer);
  });
});
