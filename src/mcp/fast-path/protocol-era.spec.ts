import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server';
import fc from 'fast-check';
import type { JsonObject } from '../../lib/json.js';
import { classify, classifyBySdk } from '../classify.js';
import type { McpHeaders } from '../parse-request.js';
import { detectProtocolEra } from './protocol-era.js';

const REVISION = '2026-07-28';
const VERSION = 'io.modelcontextprotocol/protocolVersion';
const CLIENT = 'io.modelcontextprotocol/clientInfo';
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const ENVELOPE = { [VERSION]: REVISION, [CLIENT]: { name: 'a', version: '1' }, [CAPABILITIES]: {} };
const BOTH = 'application/json, text/event-stream';
const HEADERS: McpHeaders = { protocolVersion: undefined, method: undefined, name: undefined, accept: BOTH };
const MODERN: McpHeaders = { ...HEADERS, protocolVersion: REVISION, method: 'tools/call', name: 'echo' };

const body = (params: unknown, more: JsonObject = {}): JsonObject => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params,
  ...more,
});
const withMeta = (_meta: unknown) => body({ name: 'echo', arguments: {}, _meta });

it.each<[string, McpHeaders, JsonObject, 'modern' | 'legacy' | undefined]>([
  ['a call', MODERN, withMeta(ENVELOPE), 'modern'],
  ['a call of somebody unnamed', MODERN, withMeta({ ...ENVELOPE, [CLIENT]: undefined }), undefined],
  [
    'a list',
    { ...MODERN, method: 'tools/list' },
    body({ _meta: ENVELOPE }, { method: 'tools/list' }),
    'modern',
  ],
  ['capabilities', MODERN, withMeta({ ...ENVELOPE, [CAPABILITIES]: { elicitation: {} } }), 'modern'],
  ['a trace', MODERN, withMeta({ ...ENVELOPE, traceparent: 'x' }), 'modern'],
  ['another method header', { ...MODERN, method: 'tools/list' }, withMeta(ENVELOPE), undefined],
  ['no method header', { ...MODERN, method: undefined }, withMeta(ENVELOPE), undefined],
  ['another version', MODERN, withMeta({ ...ENVELOPE, [VERSION]: '2027-01-01' }), undefined],
  ['no capabilities', MODERN, withMeta({ [VERSION]: REVISION }), undefined],
  ['an unknown capability', MODERN, withMeta({ ...ENVELOPE, [CAPABILITIES]: { x: {} } }), undefined],
  ['an envelope under an older header', HEADERS, withMeta(ENVELOPE), undefined],
  ['an older call', HEADERS, body({ name: 'echo' }), 'legacy'],
  ['an older list', HEADERS, body({}, { method: 'tools/list' }), 'legacy'],
  ['a text as id', HEADERS, body({ name: 'echo' }, { id: 'x' }), 'legacy'],
  ['half an id', HEADERS, body({ name: 'echo' }, { id: 1.5 }), undefined],
  ['no id', HEADERS, { jsonrpc: '2.0', method: 'tools/call', params: { name: 'echo' } }, undefined],
  ['one more member', HEADERS, body({ name: 'echo' }, { result: {} }), undefined],
  ['one more parameter', HEADERS, body({ name: 'echo', task: {} }), undefined],
  ['arguments in a list', HEADERS, body({ name: 'echo', arguments: [] }), undefined],
  ['no name', HEADERS, body({}), undefined],
  ['a progress token', HEADERS, withMeta({ progressToken: 1 }), undefined],
  ['another method', HEADERS, body({}, { method: 'prompts/list' }), undefined],
  ['an unheard-of version', { ...HEADERS, protocolVersion: '2001-01-01' }, body({ name: 'a' }), undefined],
  ['one form of answer', { ...HEADERS, accept: 'application/json' }, body({ name: 'a' }), 'legacy'],
])('detectProtocolEra: %s', (_what, headers, message, era) => {
  expect(detectProtocolEra(headers, message)).toBe(era);
  expect(classify(headers, message)).toEqual(classifyBySdk(headers, message));
});

const some = <T>(...values: T[]) => fc.constantFrom(...values);
const anything = fc.oneof(fc.jsonValue(), some<unknown>(null, {}, [], '', 1.5, undefined));
/** Mostly the expected value. */
const mostly = (good: fc.Arbitrary<unknown>) =>
  fc.oneof({ arbitrary: good, weight: 12 }, { arbitrary: anything, weight: 1 });
const members = (all: Record<string, fc.Arbitrary<unknown>>) =>
  fc
    .tuple(
      fc.oneof(fc.record(all), fc.record(all, { requiredKeys: [] })),
      fc.oneof(
        { arbitrary: fc.constant({}), weight: 8 },
        { arbitrary: fc.dictionary(fc.string(), anything, { maxKeys: 1 }), weight: 1 },
      ),
    )
    .map(([known, more]) => ({ ...more, ...known }));
const versions = some(
  undefined,
  ...SUPPORTED_PROTOCOL_VERSIONS,
  REVISION,
  '2026-01-01',
  '2027-01-01',
  '',
  ' ',
);
const methods = some('tools/call', 'tools/list');
const meta = fc.oneof(
  { arbitrary: fc.constant(ENVELOPE), weight: 3 },
  members({
    [VERSION]: mostly(fc.constant(REVISION)),
    [CLIENT]: mostly(
      members({ name: mostly(fc.string()), version: mostly(fc.string()), title: mostly(fc.string()) }),
    ),
    [CAPABILITIES]: mostly(
      members({ sampling: mostly(some({})), elicitation: mostly(some({})), roots: mostly(some({})) }),
    ),
    traceparent: mostly(fc.string()),
    tracestate: mostly(fc.string()),
    baggage: mostly(fc.string()),
    progressToken: anything,
  }),
  members({ traceparent: mostly(fc.string()), tracestate: mostly(fc.string()) }),
);
const params = members({
  name: mostly(fc.string()),
  arguments: mostly(fc.dictionary(fc.string(), fc.jsonValue())),
  _meta: fc.oneof(mostly(meta), fc.constant(undefined)),
});
const messages = fc
  .record({
    jsonrpc: mostly(some('2.0')),
    id: mostly(fc.oneof(fc.string(), fc.integer(), fc.maxSafeInteger(), fc.double())),
    method: mostly(methods),
    params: mostly(params),
  })
  .chain((known) =>
    fc
      .dictionary(fc.string(), anything, { maxKeys: 1 })
      .map((more) => (Object.keys(more).length > 0 && known.id === 0 ? { ...more, ...known } : known)),
  );
const anyHeaders = fc.record({
  protocolVersion: fc.oneof(versions, some(REVISION, undefined)),
  method: fc.oneof(methods, some(undefined, '')),
  name: some(undefined, 'x'),
  accept: some(undefined, BOTH, BOTH, BOTH, '*/*', 'text/event-stream'),
});
/** Random headers, or those of a client of the newest revision. */
const requests = fc.tuple(messages, anyHeaders, fc.boolean()).map(([message, any, own]) => {
  const method = typeof message.method === 'string' ? message.method : undefined;
  return { message, headers: own ? { ...MODERN, method } : any };
});

it('detectProtocolEra agrees with the SDK on every detected message', () => {
  const taken = { modern: 0, legacy: 0 };
  fc.assert(
    fc.property(requests, (built) => {
      const message = JSON.parse(JSON.stringify(built.message)) as JsonObject;
      const era = detectProtocolEra(built.headers, message);
      if (era === undefined) return;
      taken[era] += 1;
      expect(classifyBySdk(built.headers, message)).toEqual({
        kind: 'served',
        era,
        isRequest: true,
        revision: built.headers.protocolVersion,
      });
    }),
    { numRuns: 8_000 },
  );
  // Ensures that the property covers accepted messages.
  expect(taken.modern).toBeGreaterThan(60);
  expect(taken.legacy).toBeGreaterThan(60);
});
