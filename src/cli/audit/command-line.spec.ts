import { Command } from 'commander';
import { parseCommandLine } from '../parse-command-line.js';
import { UsageError } from '../usage.js';
import { declareAudit, type AuditRequest } from './command-line.js';

const NOW = new Date('2026-11-22T10:00:00.000Z');
function read(line: string): AuditRequest | undefined {
  const program = new Command();
  let request: AuditRequest | undefined;
  declareAudit(program, NOW, (one) => (request = one));
  parseCommandLine(program, ['audit', ...line.split(' ')].filter(Boolean), {});
  return request;
}
const HASH = 'ab'.repeat(32);

it.each<[string, object]>([
  ['verify', { kind: 'verify', paths: [], keys: [], expected: undefined, json: false }],
  [
    `verify a b --key k1 --key k2 --expect 12:${HASH} --json`,
    { kind: 'verify', paths: ['a', 'b'], keys: ['k1', 'k2'], expected: { seq: 12, hash: HASH }, json: true },
  ],
  [
    'query',
    {
      kind: 'query',
      paths: [],
      selection: {},
      pseudonym: undefined,
      limit: 1000,
      follow: false,
      json: false,
    },
  ],
  [
    'query f --person alice --decision deny --since 7d --until 2026-11-22 --limit 0',
    {
      kind: 'query',
      paths: ['f'],
      selection: {
        person: 'alice',
        decision: 'deny',
        since: '2026-11-15T10:00:00.000Z',
        until: '2026-11-22T00:00:00.000Z',
      },
      pseudonym: undefined,
      limit: Number.POSITIVE_INFINITY,
      follow: false,
      json: false,
    },
  ],
  [
    'query --person alice --pseudonym-key k --issuer https://i',
    {
      kind: 'query',
      paths: [],
      selection: { person: 'alice' },
      pseudonym: { keyFile: 'k', issuer: 'https://i' },
      limit: 1000,
      follow: false,
      json: false,
    },
  ],
  [
    'query --follow --tool t',
    {
      kind: 'query',
      paths: [],
      selection: { tool: 't' },
      pseudonym: undefined,
      limit: 10,
      follow: true,
      json: false,
    },
  ],
  ['chain ID f', { kind: 'chain', id: 'ID', paths: ['f'], json: false }],
  [
    'report',
    {
      kind: 'report',
      paths: [],
      selection: { since: '2026-11-15T10:00:00.000Z' },
      pseudonym: undefined,
      format: 'text',
    },
  ],
  [
    'report --since 30m --format html',
    {
      kind: 'report',
      paths: [],
      selection: { since: '2026-11-22T09:30:00.000Z' },
      pseudonym: undefined,
      format: 'html',
    },
  ],
  [
    'report --json',
    {
      kind: 'report',
      paths: [],
      selection: { since: '2026-11-15T10:00:00.000Z' },
      pseudonym: undefined,
      format: 'json',
    },
  ],
])('reads %s', (line, request) => {
  expect(read(line)).toEqual(request);
});

it.each([
  ['', 'Name a command: verify, query, chain or report.'],
  ['delete', 'Unknown command "delete". Commands: verify, query, chain, report.'],
  ['chain', "Missing required argument 'id'."],
  ['verify --person alice', 'Unknown option --person.'],
  ['query --key k', 'Unknown option --key.'],
  ['query --event decisoin', '--event must be one of authentication, list,'],
  ['query --reason scope', '--reason must be one of origin_rejected,'],
  ['query --status done', '--status must be one of ok, tool_error, failed, cancelled, interrupted.'],
  ['query --person=', '--person is empty.'],
  ['query --since 2026-02-31', 'is not a valid time'],
  ['query --decision maybe', '--decision must be one of allow, deny.'],
  ['query --since yesterday', 'is not a valid time'],
  ['query --limit many', '--limit must be a number'],
  ['query --limit 100001', '--limit must be a number from 1 to 100000'],
  ['query --since 7', 'Use one of these forms: 7d'],
  ['query --since 2026-11-22 --until 2026-11-22', '--since must be before --until'],
  ['query --follow --until 7d', '--until has no effect with --follow'],
  ['query --follow a b', '--follow reads one file'],
  ['report --follow', 'Unknown option --follow.'],
  ['query --persn alice', 'Did you mean --person?'],
  ['verify --expect 12', 'SEQ:HASH'],
  ['query --person alice --issuer https://i', 'need each other'],
  ['report --format pdf', '--format must be one of text, json, html.'],
  ['query --nonsense', 'Unknown option --nonsense.'],
  ['query --person', "Option '--person <sub>' argument missing."],
  ['query --person --json', '--person needs a value. Write --person=VALUE'],
  ['--json query', 'Write --json after the command: verify, query, chain or report.'],
  ['qurey', 'Did you mean query?'],
])('rejects %s', (line, says) => {
  expect(() => read(line)).toThrow(UsageError);
  expect(() => read(line)).toThrow(says);
});
