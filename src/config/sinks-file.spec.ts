import { stringify } from 'yaml';
import { readSinksFile } from './sinks-file.js';

function load(file: unknown) {
  const faults: string[] = [];
  const read = (path: string) => {
    if (path === '/etc/gate/sinks.yaml')
      return typeof file === 'string' ? file : stringify(file, { aliasDuplicateObjects: false });
    if (path === '/etc/gate/gone') throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    return 'the-secret\n';
  };
  const settings = readSinksFile('/etc/gate/sinks.yaml', read, faults);
  return { settings, faults };
}
const faultsOf = (...sinks: unknown[]) => load({ sinks }).faults.join('\n');
const FILE = { name: 'archive', type: 'file', path: 'out.jsonl' };

it('reads every type with its defaults', () => {
  const { settings, faults } = load({
    sinks: [
      FILE,
      { name: 'console', type: 'stdout', format: 'cef' },
      {
        name: 'siem',
        type: 'https',
        format: 'ocsf',
        url: 'https://siem.example.com/in?x=1',
        token_file: 'token',
      },
      { name: 'syslog', type: 'syslog', host: 'syslog.example.com' },
      { name: 'warehouse', type: 'postgres', database_url_file: '/run/url' },
    ],
  });
  expect(faults).toEqual([]);
  expect(settings).toEqual([
    { name: 'archive', type: 'file', format: 'json', path: '/etc/gate/out.jsonl' },
    { name: 'console', type: 'stdout', format: 'cef' },
    {
      name: 'siem',
      type: 'https',
      format: 'ocsf',
      url: 'https://siem.example.com/in?x=1',
      token: 'the-secret',
    },
    { name: 'syslog', type: 'syslog', format: 'json', host: 'syslog.example.com', port: 6514, ca: undefined },
    { name: 'warehouse', type: 'postgres', format: 'json', databaseUrl: 'the-secret' },
  ]);
});

it.each<[string, string]>([
  [faultsOf(), 'sinks: must be a list of at least one sink'],
  [load('[]').faults.join(), 'must be a mapping with the list "sinks"'],
  [load({ sinks: 'x' }).faults.join(), 'sinks: must be a list'],
  [load({ sinks: [FILE], more: 1 }).faults.join(), 'more: is not a setting'],
  [faultsOf('x'), 'sinks[0]: must be a mapping'],
  [faultsOf({ ...FILE, name: '../x' }), 'sinks[0].name: must be 1 to 63'],
  [faultsOf({ ...FILE, type: 'kafka' }), 'sinks[0].type: must be file'],
  [faultsOf({ ...FILE, format: 'xml' }), 'sinks[0].format: must be json'],
  [faultsOf({ ...FILE, typo: 1 }), 'sinks[0].typo: is not a setting'],
  [faultsOf(FILE, FILE), 'sinks[1].name: is the same as that of sinks[0]'],
  [faultsOf({ name: 'a', type: 'file' }), 'sinks[0].path: is required for file'],
  [
    faultsOf({ name: 'a', type: 'stdout', url: 'https://a.example' }),
    'sinks[0].url: has no effect for stdout',
  ],
  [faultsOf({ name: 'a', type: 'https', url: 'http://a.example' }), 'sinks[0].url: must be an https URL'],
  [
    faultsOf({ name: 'a', type: 'https', url: 'https://a.example', token_file: 'gone' }),
    'token_file: the file cannot be read (ENOENT)',
  ],
  [
    faultsOf({ name: 'a', type: 'postgres', format: 'cef', database_url_file: 'x' }),
    'sinks[0].format: has no effect for postgres',
  ],
  [faultsOf({ name: 'a', type: 'syslog', host: 'a b' }), 'sinks[0].host: must be a host name'],
])('rejects a faulty file: %s', (faults, expected) => {
  expect(faults).toContain(`AUDIT_SINKS_FILE: `);
  expect(faults).toContain(expected);
  expect(faults).not.toContain('the-secret');
});
