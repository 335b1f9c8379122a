import { readCommandLine } from './command-line.js';

it.each<[string[], object]>([
  [[], { kind: 'configuration', json: false }],
  [['--config'], { kind: 'configuration', json: false }],
  [['--json'], { kind: 'configuration', json: true }],
  [['-'], { kind: 'token', json: false, token: undefined }],
  [['--json', '-'], { kind: 'token', json: true, token: undefined }],
  [['a.b.c', '--json'], { kind: 'token', json: true, token: 'a.b.c' }],
  [['Bearer', 'a.b.c'], { kind: 'token', json: false, token: 'Bearer a.b.c' }],
  [['Bearer a.b.c'], { kind: 'token', json: false, token: 'Bearer a.b.c' }],
  [['--help', 'a.b.c'], { kind: 'help' }],
  [['-h'], { kind: 'help' }],
])('%j', (args, command) => {
  expect(readCommandLine(args)).toEqual(command);
});

it.each([
  [['--secret-token']],
  [['-secret']],
  [['secret', 'secret']],
  [['-', 'secret']],
  [['--config', 'secret']],
])('%j is wrong, and is not repeated', (args) => {
  const command = readCommandLine(args);
  expect(command.kind).toBe('wrong');
  expect(JSON.stringify(command)).not.toContain('secret');
});
