import { Command } from 'commander';
import { parseCommandLine } from '../parse-command-line.js';
import { UsageError } from '../usage.js';
import { declareDoctor, type DoctorRequest } from './command-line.js';

function read(args: readonly string[]): DoctorRequest | undefined {
  const program = new Command();
  let request: DoctorRequest | undefined;
  declareDoctor(program, (one) => (request = one));
  parseCommandLine(program, ['doctor', ...args], {});
  return request;
}

it.each<[string[], object]>([
  [[], { kind: 'configuration', json: false }],
  [['--config'], { kind: 'configuration', json: false }],
  [['--start'], { kind: 'start', json: false }],
  [['--json'], { kind: 'configuration', json: true }],
  [['-'], { kind: 'token', json: false, token: undefined }],
  [['--json', '-'], { kind: 'token', json: true, token: undefined }],
  [['a.b.c', '--json'], { kind: 'token', json: true, token: 'a.b.c' }],
  [['Bearer', 'a.b.c'], { kind: 'token', json: false, token: 'Bearer a.b.c' }],
  [['Bearer a.b.c'], { kind: 'token', json: false, token: 'Bearer a.b.c' }],
])('reads %j', (args, request) => {
  expect(read(args)).toEqual(request);
});

it.each([
  [['--secret-token']],
  [['--secret=secret', 'secret']],
  [['-secret']],
  [['secret', 'secret']],
  [['-', 'secret']],
  [['--config', 'secret']],
  [['--start', 'secret']],
  [['--start', '--config']],
])('rejects %j without repeating an argument', (args) => {
  expect(() => read(args)).toThrow(UsageError);
  expect(() => read(args)).not.toThrow(/secret/);
});

it('suggests an option for a mistyped one', () => {
  expect(() => read(['--jsno'])).toThrow('Did you mean --json?');
});
