import fc from 'fast-check';
import type { AnswerForm } from '../core/request-context.js';
import { acceptedForms } from './accept.js';

const BOTH = 'application/json, text/event-stream';

describe('acceptedForms', () => {
  it.each<[string | undefined, AnswerForm | undefined, boolean]>([
    [undefined, 'json', true],
    ['', 'json', true],
    ['  ', 'json', true],
    ['*/*', 'json', true],
    ['*', 'json', true],
    ['*/*;q=0.1', 'json', true],
    ['application/*, text/*', 'either', true],
    ['application/*', 'json', false],
    ['text/*', 'events', true],
    [BOTH, 'either', true],
    ['text/event-stream,application/json', 'either', true],
    ['APPLICATION/JSON, Text/Event-Stream', 'either', true],
    ['application/json; charset=utf-8, text/event-stream; charset="UTF-8"', 'either', true],
    ['application/json;version=2', 'json', false],
    ['application/json;q=0.1, text/event-stream', 'either', true],
    ['application/json', 'json', false],
    ['text/event-stream', 'events', true],
    ['text/event-stream, application/json;q=0', 'events', true],
    ['text/event-stream;q=0, */*', 'json', false],
    ['*/*, text/event-stream;q=0.000', 'json', false],
    ['application/json;Q=0, */*', 'events', true],
    ['application/*;q=0, application/json', 'json', false],
    ['*/*;q=0', undefined, false],
    ['*/*;q=0, application/json', 'json', false],
    ['application/json;version=2;q=0, */*', 'json', true],
    ['application/json;charset=utf-8;q=0', undefined, false],
    ['application/json;profile="a,b;q=0"', 'json', false],
    ['application/json;profile="text/event-stream, "', 'json', false],
    ['text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', 'json', true],
    [`,, ${BOTH} ,`, 'either', true],
    ['text/html', undefined, false],
    ['application/jsonx', undefined, false],
    ['xapplication/json, text/event-streams', undefined, false],
    ['json', undefined, false],
    ['*/json', undefined, false],
    ['application/json;q=2', undefined, false],
    ['application/json;q=', undefined, false],
    ['application/json;q=-1', undefined, false],
    ['"application/json"', undefined, false],
    ['application/json text/event-stream', undefined, false],
  ])('evaluates %j to %j', (header, form, events) => {
    expect(acceptedForms(header)).toEqual({ form, events });
  });

  it('agrees with a reference that sorts the ranges by specificity', () => {
    const range = fc.record({
      type: fc.constantFrom('*/*', 'application/*', 'text/*', 'application/json', 'text/event-stream', 'a/b'),
      q: fc.constantFrom(undefined, '0', '0.0', '0.001', '0.5', '1', '1.000'),
      upper: fc.boolean(),
      space: fc.constantFrom('', ' ', '\t'),
    });
    const rank = (type: string) => (type === '*/*' ? 0 : type.endsWith('/*') ? 1 : 2);
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 6 }), (ranges) => {
        const header = ranges
          .map(({ type, q, upper, space }) => {
            const text = type + (q === undefined ? '' : `${space};${space}q=${q}`);
            return space + (upper ? text.toUpperCase() : text);
          })
          .join(',');
        const quality = (wanted: string) => {
          const group = `${wanted.split('/')[0]}/*`;
          const matching = ranges.filter(({ type }) => [wanted, group, '*/*'].includes(type));
          const top = Math.max(...matching.map(({ type }) => rank(type)));
          return Math.max(
            0,
            ...matching.filter(({ type }) => rank(type) === top).map(({ q }) => Number(q ?? 1)),
          );
        };
        const [json, events] = [quality('application/json') > 0, quality('text/event-stream') > 0];
        const { form, events: mayStream } = acceptedForms(header);
        expect(mayStream).toBe(events);
        expect(form === undefined).toBe(!json && !events);
        if (form === 'events') expect(json).toBe(false);
        if (form === 'either') expect([json, events]).toEqual([true, true]);
        if (form === 'json') expect(json).toBe(true);
      }),
    );
  });

  it('reads any text in linear time and never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void acceptedForms(text)));
    const started = performance.now();
    for (const piece of ['"', '"\\', ',', ';', 'a/', '*/*;q=', ' '])
      acceptedForms(piece.repeat(16_000 / piece.length));
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
