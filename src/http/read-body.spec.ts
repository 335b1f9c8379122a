import fc from 'fast-check';
import { MAX_DEPTH, parseBody } from './read-body.js';

const bytes = (text: string) => Buffer.from(text, 'utf8');

function nested(levels: number): string {
  return '{"a":'.repeat(levels - 1) + '{}' + '}'.repeat(levels - 1);
}

it.each([
  ['{}', {}],
  ['{"a":[{"b":null}]}', { a: [{ b: null }] }],
  [' {"a":1}\n', { a: 1 }],
  ['{"a":["__proto__","constructor"]}', { a: ['__proto__', 'constructor'] }],
])('parseBody accepts %s', (text, value) => {
  expect(parseBody(bytes(text))).toEqual({ ok: true, value });
});

it.each([
  ['', -32700],
  ['{', -32700],
  ['{"a":1}{"b":2}', -32700],
  ['[]', -32600],
  ['[{"jsonrpc":"2.0"}]', -32600],
  ['"text"', -32600],
  ['5', -32600],
  ['null', -32600],
  ['{"__proto__":{}}', -32600],
  ['{"a":[[{"constructor":1}]]}', -32600],
  ['{"a":{"prototype":1}}', -32600],
  ['{"\\u005f_proto__":1}', -32600],
])('parseBody rejects %s with %d', (text, code) => {
  expect(parseBody(bytes(text))).toMatchObject({
    ok: false,
    fault: { code: 'request_malformed', status: 400, rpcCode: code },
  });
});

it('parseBody rejects bytes that are not UTF-8', () => {
  expect(parseBody(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])).ok).toBe(false);
});

it(`parseBody accepts ${MAX_DEPTH} levels, rejects one more, and survives 100,000`, () => {
  expect(parseBody(bytes(nested(MAX_DEPTH))).ok).toBe(true);
  expect(parseBody(bytes(nested(MAX_DEPTH + 1))).ok).toBe(false);
  expect(parseBody(bytes(nested(100_000))).ok).toBe(false);
  expect(parseBody(bytes(`{"a":${'['.repeat(MAX_DEPTH)}${']'.repeat(MAX_DEPTH)}}`)).ok).toBe(false);
});

it('parseBody limits the keys of an object and the objects of a body', () => {
  const wide = (keys: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: keys }, (_, at) => [`k${at}`, 1])));
  expect(parseBody(bytes(wide(1000))).ok).toBe(true);
  expect(parseBody(bytes(wide(1001))).ok).toBe(false);
  expect(parseBody(bytes(JSON.stringify({ a: Array.from({ length: 20_000 }, () => ({})) }))).ok).toBe(false);
});

it('parseBody keeps the message of a hostile body, so that the error has its id', () => {
  expect(parseBody(bytes('{"id":7,"method":"m","constructor":1}'))).toMatchObject({
    ok: false,
    value: { id: 7 },
  });
});

it('parseBody never throws, and returns objects unchanged', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      const body = parseBody(bytes(text));
      if (body.ok) expect(body.value).toEqual(JSON.parse(text));
    }),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.uint8Array(), (raw) => void parseBody(raw)));
});
