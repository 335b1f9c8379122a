import { generateKeyPairSync } from 'node:crypto';
import { stringify } from 'yaml';
import { readUpstreamsFile } from './upstreams-file.js';

const KEY = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string;
const FILES: Record<string, string> = {
  '/etc/gate/secret': 's3cret-value\n',
  '/etc/gate/scheme': 'Basic s3cret-value',
  '/etc/gate/two': 'one\ntwo',
  '/etc/gate/odd': 'sécret',
  '/etc/gate/key.pem': KEY,
};
const TOOLS = [{ match: '*', scopes: 'read' }];
const STDIO = { name: 'files', command: ['node', 'server.js'], tools: TOOLS };
const HTTP = { name: 'wiki', url: 'https://wiki.example.com/mcp', tools: TOOLS };
const CLIENT = {
  token_endpoint: 'https://as.example.com/token',
  client_id: 'gate',
  client_secret_file: 'secret',
};

function load(file: unknown) {
  const faults: string[] = [];
  const read = (path: string) => {
    if (path === '/etc/gate/upstreams.yaml')
      return typeof file === 'string' ? file : stringify(file, { aliasDuplicateObjects: false });
    if (!FILES[path]) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    return FILES[path];
  };
  return { settings: readUpstreamsFile('/etc/gate/upstreams.yaml', read, faults), faults };
}
const one = (upstream: object) => {
  const { settings, faults } = load({ upstreams: [upstream] });
  expect(faults).toEqual([]);
  return settings[0];
};
const faultsOf = (...upstreams: unknown[]) => load({ upstreams }).faults.join('\n');
const withTool = (tool: object) => faultsOf({ ...STDIO, tools: [tool] });
const withAuth = (auth: object) => faultsOf({ ...HTTP, auth });

it.each(['mcpServers', 'servers'])(
  'recognizes a client configuration under %s, and repeats names only',
  (member) => {
    const { faults } = load({
      [member]: { files: { command: 'npx', args: ['x'], env: { KEY: 'sk-secret' } } },
    });
    expect(faults).toEqual([
      expect.stringContaining('UPSTREAMS_FILE: this is the configuration of an MCP client (files)'),
    ]);
    expect(faults.join()).toContain('Write a list under upstreams');
    expect(faults.join()).not.toContain('sk-secret');
  },
);

it('reads a command with its defaults', () => {
  expect(one(STDIO)).toEqual({
    name: 'files',
    prefix: 'files_',
    processes: 'shared',
    maxProcesses: 10,
    idleMs: 300_000,
    concurrency: 8,
    protocol: 'auto',
    connectTimeoutMs: 30_000,
    listTimeoutMs: 30_000,
    callTimeoutMs: 60_000,
    maxAnswerBytes: 10 * 1024 * 1024,
    trustFirstUse: true,
    relaysErrors: false,
    transport: 'stdio',
    command: ['node', 'server.js'],
    environment: {},
    workingDirectory: undefined,
    secrets: [],
    tools: [
      {
        source: 'upstreams.yaml: files/*',
        match: ['*'],
        scopes: ['read'],
        roles: [],
        allowWorkload: false,
        assurance: null,
        conditions: [],
        readOnly: false,
        recordedArguments: [],
        name: undefined,
        title: undefined,
        description: undefined,
        timeoutMs: undefined,
      },
    ],
  });
});

it('reads secret arguments and variables from files, and marks them as secrets', () => {
  const upstream = {
    ...STDIO,
    command: ['node', 'server.js', { file: 'secret' }],
    env: { MODE: 'plain' },
    env_files: { KEY: 'secret' },
    working_directory: 'work',
  };
  expect(one(upstream)).toMatchObject({
    command: ['node', 'server.js', 's3cret-value'],
    environment: { MODE: 'plain', KEY: 's3cret-value' },
    secrets: ['s3cret-value', 's3cret-value'],
    workingDirectory: '/etc/gate/work',
  });
});

it.each([
  [
    { method: 'secret', secret_file: 'secret' },
    { header: 'Authorization', value: 'Bearer s3cret-value' },
  ],
  [
    { method: 'secret', secret_file: 'scheme' },
    { header: 'Authorization', value: 'Basic s3cret-value' },
  ],
  [
    { method: 'secret', secret_file: 'secret', header: 'X-Api-Key' },
    { header: 'X-Api-Key', value: 's3cret-value' },
  ],
  [
    { method: 'client_credentials', ...CLIENT, scope: ['a', 'b'] },
    { issuer: 'https://as.example.com/token', scope: 'a b', clientId: 'gate' },
  ],
  [{ method: 'token_exchange', ...CLIENT, actor_token: true }, { actor: true }],
  [
    {
      method: 'id_jag',
      ...CLIENT,
      issuer: 'https://as.example.com',
      resource: 'https://wiki.example.com/mcp',
      identity_provider: {
        token_endpoint: 'https://idp.example.com/token',
        client_id: 'gate-there',
        client_authentication: 'private_key_jwt',
        private_key_file: 'key.pem',
      },
    },
    {
      grant: {
        tokenEndpoint: 'https://idp.example.com/token',
        audience: 'https://as.example.com',
        resource: 'https://wiki.example.com/mcp',
        authentication: { method: 'private_key_jwt' },
      },
    },
  ],
])('reads the authentication %j', (auth, expected) => {
  expect(one({ ...HTTP, auth })).toMatchObject({ auth: { method: auth.method, ...expected } });
});

it.each<[string, string]>([
  [faultsOf(), 'upstreams: must be a list of 1 to 100'],
  [load('[]').faults.join(), 'must be a mapping with the list "upstreams"'],
  [load('upstreams: [').faults.join(), 'is not valid YAML'],
  [faultsOf('x'), 'upstreams[0]: must be a mapping'],
  [faultsOf({ ...STDIO, name: 'Files' }), 'upstreams[0].name: must be 1 to 32 characters'],
  [faultsOf({ ...STDIO, name: '../files' }), 'upstreams[0].name: must be'],
  [faultsOf({ ...STDIO, prefix: '' }), 'upstreams[0].prefix: must be'],
  [faultsOf({ ...STDIO, url: HTTP.url }), 'has either a command or a url'],
  [faultsOf({ name: 'x', tools: TOOLS }), 'has either a command or a url'],
  [faultsOf({ ...STDIO, command: 'node server.js' }), 'command: must be a list'],
  [faultsOf({ ...STDIO, command: [{ file: 'secret' }] }), 'command[0]: must be a text'],
  [faultsOf({ ...STDIO, command: ['node', 7] }), 'command[1]: must be a text'],
  [
    faultsOf({ ...STDIO, command: ['node', { file: 'gone' }] }),
    'command[1].file: the file cannot be read (ENOENT)',
  ],
  [faultsOf({ ...STDIO, env: ['A=B'] }), 'env: must be a mapping'],
  [faultsOf({ ...STDIO, env: { 'A B': 'x' } }), 'must be a text, under the name of a variable'],
  [faultsOf({ ...STDIO, env: { PORT: 7 } }), 'env.PORT: must be a text'],
  [
    faultsOf({ ...STDIO, env: { KEY: 'x' }, env_files: { KEY: 'secret' } }),
    'env_files.KEY: is set in both env and env_files',
  ],
  [faultsOf({ ...STDIO, env_files: { KEY: 'two' } }), 'the file holds more than one line'],
  [faultsOf({ ...HTTP, url: 'http://wiki.example.com/mcp' }), 'url: must be an https URL'],
  [faultsOf({ ...HTTP, url: 'https://user:pass@wiki.example.com/mcp' }), 'url: must be an https URL'],
  [faultsOf({ ...HTTP, env: { A: 'b' } }), 'env: has no effect for an upstream of this kind'],
  [faultsOf({ ...STDIO, auth: { method: 'secret', secret_file: 'secret' } }), 'auth: has no effect'],
  [faultsOf({ ...STDIO, max_processes: 2 }), 'max_processes: has no effect'],
  [faultsOf({ ...STDIO, concurrency: 0 }), 'concurrency: must be a whole number'],
  [faultsOf({ ...STDIO, timeouts: { call: 3 } }), 'timeouts.call: is not a setting'],
  [faultsOf({ ...STDIO, tools: [] }), 'tools: must be a list of at least one entry'],
  [faultsOf({ ...STDIO, tools: undefined }), 'tools: must be a list of at least one entry'],
  [faultsOf(STDIO, { ...STDIO, prefix: 'other_' }), 'upstreams[1].name: is the same as that of upstreams[0]'],
  [
    faultsOf(STDIO, { ...STDIO, name: 'other', prefix: 'files_more_' }),
    'upstreams[1].prefix: begins with that of upstreams[0]',
  ],
  [
    faultsOf({ ...STDIO, prefix: 'f' }, { ...STDIO, name: 'other', prefix: 'fi' }),
    'upstreams[1].prefix: begins',
  ],
  [faultsOf(STDIO, { ...STDIO, name: 'other', prefix: 'files_' }), 'upstreams[1].prefix: is the same'],
  [withTool({ match: '*' }), 'has no access rule'],
  [withTool({ match: '*', scopes: [] }), 'tools[0].scopes: must be a list of scopes'],
  [
    withTool({ match: '*', scopes: 'read', any_principal: true }),
    'any_principal: contradicts scopes and roles',
  ],
  [withTool({ match: '*', any_principal: false }), 'any_principal: must be true, or left out'],
  [withTool({ match: 'a b', scopes: 'read' }), "tools[0].match: must be a list of the upstream's names"],
  [withTool({ match: 'read_*', scopes: 'read', name: 'x' }), 'name: is for one tool'],
  [withTool({ match: ['a', 'b'], scopes: 'read', description: 'x' }), 'description: is for one tool'],
  [withTool({ match: '*', scopes: 'read', assurance: {} }), 'assurance.max_age: '],
  [
    withTool({ match: '*', scopes: 'read', assurance: { acr: 'mfa' }, allow_workload: true }),
    'allow_workload: contradicts assurance',
  ],
  [
    withTool({ match: '*', scopes: 'read', conditions: ' ' }),
    'conditions: must be a list of Cedar expressions',
  ],
  [withTool({ match: '*', scopes: 'read', readonly: true }), 'tools[0].readonly: is not a setting'],
  [withAuth({ method: 'passthrough' }), 'auth.method: must be secret, client_credentials'],
  [withAuth('secret' as never), 'auth.method: must be'],
  [withAuth({ method: 'secret' }), 'auth.secret_file: '],
  [
    withAuth({ method: 'secret', secret_file: 'odd' }),
    'the file holds characters that a header cannot carry',
  ],
  [withAuth({ method: 'secret', secret_file: 'two' }), 'the file holds more than one line'],
  [
    withAuth({ method: 'secret', secret_file: 'secret', header: 'Host' }),
    'header: is a reserved header: choose another name',
  ],
  [
    withAuth({ method: 'secret', secret_file: 'secret', header: 'Mcp-Session-Id' }),
    'is a reserved header: choose another name',
  ],
  [withAuth({ method: 'token_exchange', ...CLIENT }), 'auth.actor_token: is required'],
  [
    withAuth({ method: 'client_credentials', ...CLIENT, token_endpoint: 'http://as.example.com' }),
    'token_endpoint: must be an https URL',
  ],
  [
    withAuth({ method: 'client_credentials', ...CLIENT, client_secret_file: undefined }),
    'client_secret_file: is required',
  ],
  [
    withAuth({ method: 'id_jag', ...CLIENT, issuer: 'https://as.example.com' }),
    'identity_provider: is required',
  ],
  [
    withAuth({
      method: 'id_jag',
      ...CLIENT,
      issuer: 'https://as.example.com',
      identity_provider: { ...CLIENT, scope: 'x' },
    }),
    'identity_provider.scope: belongs one level up',
  ],
  [withAuth({ method: 'id_jag', ...CLIENT, identity_provider: CLIENT }), 'auth.issuer: is required'],
  [
    faultsOf({
      ...HTTP,
      auth: { method: 'client_credentials', ...CLIENT },
      identity_header: { name: 'authorization', audience: 'x' },
    }),
    'identity_header.name: is a reserved header: choose another name',
  ],
])('rejects a faulty file: %#', (faults, expected) => {
  expect(faults).toContain(expected);
  expect(faults).not.toContain('s3cret');
});
