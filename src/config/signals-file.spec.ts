import { stringify } from 'yaml';
import { ISSUER_DEFAULTS } from './identity-file.js';
import { ConfigurationError, loadSettings } from './load-settings.js';
import { readSignalsFile } from './signals-file.js';

const SECRET = 'Bearer what-the-transmitter-was-given-0123456789';
const TRANSMITTER = {
  issuer: 'https://login.example.com',
  audience: 'https://gate.example.com',
  authorization_file: 'secret',
  subject_issuer: 'https://login.example.com',
  events: ['session-revoked'],
};

const FILES: Record<string, string> = {
  '/etc/gate/secret': `${SECRET}\n`,
  '/etc/gate/short': 'Bearer short',
  '/etc/gate/bare': SECRET.slice('Bearer '.length),
  '/etc/gate/two': `${SECRET}\n${SECRET}`,
};

function load(file: unknown, issuers = ['https://login.example.com']) {
  const faults: string[] = [];
  const read = (path: string) => {
    if (path === '/etc/gate/signals.yaml')
      return typeof file === 'string' ? file : stringify(file, { aliasDuplicateObjects: false });
    if (!FILES[path]) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    return FILES[path];
  };
  const known = issuers.map((issuer) => ({ ...ISSUER_DEFAULTS, issuer, audience: ['x'] }));
  return { settings: readSignalsFile('/etc/gate/signals.yaml', known, read, faults), faults };
}
const faultsOf = (...transmitters: unknown[]) => load({ transmitters }).faults.join('\n');

it('reads a transmitter with its defaults', () => {
  const { settings, faults } = load({ transmitters: [TRANSMITTER] });
  expect(faults).toEqual([]);
  expect(settings).toEqual([
    {
      issuer: 'https://login.example.com',
      audience: ['https://gate.example.com'],
      jwksUri: undefined,
      algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      authorization: SECRET,
      subjectIssuer: 'https://login.example.com',
      emailIsSubject: false,
      events: new Set(['session-revoked']),
      clockToleranceSeconds: 5,
      perMinute: 6_000,
    },
  ]);
});

it.each<[string, string]>([
  [faultsOf(), 'transmitters: must be a list of at least one transmitter'],
  [load('[]').faults.join(), 'must be a mapping with the list "transmitters"'],
  [load({ transmitters: [TRANSMITTER], more: 1 }).faults.join(), 'more: is not a setting'],
  [faultsOf('x'), 'transmitters[0]: must be a mapping'],
  [faultsOf({ ...TRANSMITTER, issuer: undefined }), 'transmitters[0].issuer: is required'],
  [faultsOf({ ...TRANSMITTER, issuer: 'http://login.example.com' }), 'issuer: must be an https URL'],
  [faultsOf({ ...TRANSMITTER, audience: undefined }), 'transmitters[0].audience: is required'],
  [faultsOf({ ...TRANSMITTER, audience: [] }), 'audience: must be a list of'],
  [faultsOf({ ...TRANSMITTER, jwks_uri: 'http://keys.example.com' }), 'jwks_uri: must be an https URL'],
  [faultsOf({ ...TRANSMITTER, algorithms: ['HS256'] }), 'symmetric algorithms and none are never accepted'],
  [faultsOf({ ...TRANSMITTER, algorithms: ['none'] }), 'symmetric algorithms and none are never accepted'],
  [faultsOf({ ...TRANSMITTER, events: undefined }), 'transmitters[0].events: is required'],
  [faultsOf({ ...TRANSMITTER, events: ['*'] }), 'events: must be a list of events that revoke'],
  [
    faultsOf({ ...TRANSMITTER, authorization_file: undefined }),
    'authorization_file: is required; a transmitter that sends none needs allow_without_authorization: true',
  ],
  [faultsOf({ ...TRANSMITTER, authorization_file: 'gone' }), 'the file cannot be read (ENOENT)'],
  [faultsOf({ ...TRANSMITTER, authorization_file: 'short' }), 'the file holds fewer than 32 characters'],
  [faultsOf({ ...TRANSMITTER, authorization_file: 'bare' }), 'the whole value of the Authorization header'],
  [faultsOf({ ...TRANSMITTER, authorization_file: 'two' }), 'the file must hold one line'],
  [
    faultsOf({ ...TRANSMITTER, allow_without_authorization: true }),
    'allow_without_authorization: has no effect beside authorization_file',
  ],
  [
    faultsOf({ ...TRANSMITTER, authorization_file: undefined, allow_without_authorization: false }),
    'allow_without_authorization: must be true, or left out',
  ],
  [
    faultsOf({ ...TRANSMITTER, subject_issuer: 'https://other.example.com' }),
    'transmitters[0].subject_issuer: is not a configured issuer',
  ],
  [faultsOf({ ...TRANSMITTER, clock_tolerance_seconds: 61 }), 'must be a whole number from 0 to 60'],
  [faultsOf({ ...TRANSMITTER, rate_limit_per_minute: 0 }), 'must be a whole number from 1 to'],
  [faultsOf({ ...TRANSMITTER, secret: 'x' }), 'secret: is not a setting'],
  [faultsOf(TRANSMITTER, TRANSMITTER), 'transmitters[1].issuer: is the same as that of transmitters[0]'],
])('rejects a faulty file: %s', (faults, expected) => {
  expect(faults).toContain(expected);
  expect(faults).toContain('SIGNALS_FILE: ');
  expect(faults).not.toContain('0123456789');
});

it('does not report an unknown subject_issuer if the issuers are faulty', () => {
  expect(load({ transmitters: [TRANSMITTER] }, []).faults).toEqual([]);
});

it('reports the relaxation at startup, and rejects the file without revocation', () => {
  const file = stringify({
    transmitters: [{ ...TRANSMITTER, authorization_file: undefined, allow_without_authorization: true }],
  });
  const env = { AUTH_ISSUER: TRANSMITTER.issuer, TOOL_ALLOW_LIST: 'x', SIGNALS_FILE: '/s' };
  expect(loadSettings(env, () => file).notices.join()).toContain(
    'allow_without_authorization of https://login.example.com: any holder of one of its signed events can deliver it',
  );
  const off = () => loadSettings({ ...env, REVOCATION_MAX_AGE_SECONDS: '0' }, () => file);
  expect(off).toThrow(ConfigurationError);
  expect(off).toThrow('SIGNALS_FILE: has no effect where REVOCATION_MAX_AGE_SECONDS');
});
