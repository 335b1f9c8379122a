/** Checks the deployment files against the project: variables, file names and limits agree. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { findPerson, PERSON_NAMES, TOOL_SCOPES } from '../demo/people.js';
import { VERSION } from '../src/lib/version.js';
import { loadSettings } from '../src/config/load-settings.js';
import { PRESETS } from '../src/config/settings.js';
import { VARIABLE_NAMES } from '../src/config/variables.js';

const ROOT = join(__dirname, '..');
const DEPLOY = join(ROOT, 'deploy');
const CHART = join(DEPLOY, 'helm/identity-aware-mcp-server');
const text = (...path: string[]) => readFileSync(join(...path), 'utf8');
const matches = (source: string, pattern: RegExp) =>
  [...source.matchAll(pattern)].map((found) => found[1] as string);

/** Variables of Node, not of the gateway. */
const OF_NODE = ['NODE_ENV', 'NODE_EXTRA_CA_CERTS'];
const READ = [...VARIABLE_NAMES, ...OF_NODE];
/** Maximum shutdown time with default settings: drain, wait for calls, close (docs/guides/monitor-the-server.md). */
const SHUTDOWN_SECONDS = 40;

const dockerfile = text(ROOT, 'Dockerfile');
const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

describe('container image', () => {
  it('runs the built server as an unprivileged user and forwards signals to it', () => {
    expect(lastStage).toMatch(/^USER 10001:10001$/m);
    expect(lastStage).toMatch(/^ENTRYPOINT \["node", "dist\/main"\]$/m);
    expect(lastStage).toMatch(/^HEALTHCHECK .* CMD \["node", "healthcheck.mjs"\]$/m);
    expect(lastStage).toMatch(/ln -s \/app\/dist\/cli\/mcp-gate\.js \/usr\/local\/bin\/mcp-gate$/m);
    expect(lastStage).not.toMatch(/npm (ci|install|run)/);
    expect(lastStage).toContain(`org.opencontainers.image.version="${VERSION}"`);
  });

  it('sets only known variables and no secrets', () => {
    const set = matches(lastStage, /^ENV (.*)$/gm).flatMap((line) => matches(line, /(\w+)=/g));
    expect(set.filter((name) => !READ.includes(name))).toEqual([]);
    expect(matches(dockerfile, /^ARG (\w+)/gm)).toEqual(['NODE']);
  });

  it('copies only existing files that .dockerignore includes', () => {
    const copied = matches(dockerfile, /^COPY (?!--from)(.*)$/gm).flatMap((line) =>
      line.split(' ').slice(0, -1),
    );
    const ignored = text(ROOT, '.dockerignore').split('\n');
    expect(ignored).toContain('*');
    for (const path of copied) {
      expect(existsSync(join(ROOT, path))).toBe(true);
      expect(ignored).toContain(`!${path.replace('./', '')}`);
    }
  });
});

interface Service {
  readonly image: string;
  readonly hostname?: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
  readonly networks: Readonly<Record<string, { readonly ipv4_address?: string }>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const compose = parse(text(DEPLOY, 'compose.yaml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const gates = services.filter(([name]) => name.startsWith('gate-'));
const nginx = text(DEPLOY, 'nginx.conf.template');
const NAMES = { GATE_HOST: 'gate.example.com', SSO_HOST: 'sso.example.com' };
const filled = (value: string) =>
  value.replace(/\$\{(\w+)[^}]*\}/g, (_, name: keyof typeof NAMES) => NAMES[name]);

describe('compose.yaml', () => {
  it.each(services)('gives %s no unnecessary privileges', (name, service) => {
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    // Keycloak writes its optimized build into its own folder at startup.
    expect(service.read_only).toBe(name !== 'keycloak');
    expect(service.healthcheck.test.length).toBeGreaterThan(1);
    expect(service.image).toMatch(/:v?\d+\.\d+(\.\d+)?$/);
  });

  it.each(services)('passes secrets to %s as generated files and not as variables', (_, service) => {
    const made = text(DEPLOY, 'make-secrets.sh');
    for (const secret of service.secrets ?? []) {
      const file = compose.secrets[secret]?.file.replace('./secrets/', '') ?? 'nowhere';
      expect(made).toMatch(new RegExp(`\\b(${file}|issue ${file.replace(/\.(crt|key)$/, '')})\\b`));
    }
    const inClear = Object.keys(service.environment).filter((name) => /PASSWORD$|SECRET$|_URL$/.test(name));
    expect(inClear.filter((name) => name !== 'PUBLIC_URL')).toEqual([]);
    for (const mounted of (service.volumes ?? []).filter((volume) => volume.startsWith('.')))
      expect(existsSync(join(DEPLOY, mounted.split(':')[0] as string))).toBe(true);
  });

  it.each(gates)('configures %s with known variables that load together', (name, service) => {
    expect(Object.keys(service.environment).filter((one) => !READ.includes(one))).toEqual([]);
    const env = Object.fromEntries(
      Object.entries(service.environment).map(([one, value]) => [one, filled(value)]),
    );
    const settings = loadSettings({ ...env, HOST: '0.0.0.0' }, (path) => {
      expect(service.secrets).toContain(path.replace('/run/secrets/', ''));
      return path.endsWith('database_url') ? 'postgres://postgres:5432/gate' : 'smtp://mailpit:1025';
    });
    expect(settings.notices).toEqual([expect.stringMatching(/^EXAMPLE_TOOLS=true: /)]);
    expect(settings.server.tls?.keyFile).toBe('/run/secrets/gate_key');
    // Only nginx is a trusted proxy.
    expect(settings.server.trustProxy).toEqual([compose.services.nginx?.networks.edge?.ipv4_address]);
    // The lock of the audit log identifies its process by the host name.
    expect([service.hostname, service.volumes]).toEqual([name, [`${name}:/data`]]);
    expect(parseInt(service.stop_grace_period ?? '', 10)).toBeGreaterThan(SHUTDOWN_SECONDS);
  });

  it('connects only the published services to the public network', () => {
    const open = Object.keys(compose.networks).filter((name) => !compose.networks[name]?.internal);
    expect(open).toEqual(['public']);
    const outside = services.filter(
      ([, { networks }]) => 'public' in networks || (Array.isArray(networks) && networks.includes('public')),
    );
    expect(outside.map(([name]) => name)).toEqual(['nginx', 'mailpit']);
  });
});

describe('nginx.conf.template', () => {
  const gate = nginx.slice(
    nginx.indexOf('server_name ${GATE_HOST}'),
    nginx.indexOf('server_name ${SSO_HOST}'),
  );

  it('names the gateway instances of compose.yaml and only provided variables and files', () => {
    expect(matches(nginx, /^\s+server (gate-\d+):3000 /gm)).toEqual(gates.map(([name]) => name));
    const { environment, secrets } = compose.services.nginx as Service;
    for (const name of matches(nginx, /\$\{(\w+)\}/g)) expect(environment).toHaveProperty(name);
    for (const secret of matches(nginx, /\/run\/secrets\/(\w+)/g)) expect(secrets).toContain(secret);
  });

  it('retries no call after it was sent and does not buffer responses', () => {
    expect(matches(nginx, /proxy_next_upstream (.*);/g)).toEqual(['error timeout']);
    expect(gate).toMatch(/proxy_buffering off;/);
  });

  it('overwrites forwarding headers that clients send', () => {
    expect(nginx).not.toContain('proxy_add_x_forwarded_for');
    expect(gate).toContain('proxy_set_header X-Forwarded-For $remote_addr;');
    for (const header of ['Forwarded', 'X-Forwarded-Host', 'X-Real-IP', 'Client-Cert'])
      expect(gate).toContain(`proxy_set_header ${header} "";`);
  });

  it('verifies the certificate of the instances and closes idle connections before they do', () => {
    expect(gate).toContain('proxy_ssl_verify on;');
    expect(text(DEPLOY, 'make-secrets.sh')).toContain(
      `issue gate DNS:${matches(gate, /proxy_ssl_name (.*);/g)[0]}`,
    );
    const kept = /KEEP_ALIVE_MS = ([\d_]+);/.exec(text(ROOT, 'src/create-app.ts'))?.[1]?.replace('_', '');
    const seconds = Number(matches(nginx, /keepalive 64;[^}]*keepalive_timeout (\d+)s;/g)[0]);
    expect(seconds * 1000).toBeLessThan(Number(kept));
  });

  it('leaves the rejection of large bodies to the gateway', () => {
    expect(Number(matches(nginx, /client_max_body_size (\d+)k;/g)[0])).toBeGreaterThan(1024);
  });
});

interface Realm {
  readonly realm: string;
  readonly clientScopes: readonly {
    readonly name: string;
    readonly attributes: Readonly<Record<string, string>>;
    readonly protocolMappers: readonly {
      readonly protocolMapper: string;
      readonly config: Readonly<Record<string, string>>;
    }[];
  }[];
  readonly scopeMappings: readonly { readonly clientScope: string; readonly roles: readonly string[] }[];
  readonly clients: readonly {
    readonly publicClient: boolean;
    readonly attributes: Readonly<Record<string, string>>;
    readonly defaultClientScopes: readonly string[];
    readonly optionalClientScopes: readonly string[];
  }[];
  readonly users: readonly {
    readonly username: string;
    readonly realmRoles: readonly string[];
    readonly credentials: readonly { readonly value: string }[];
  }[];
}

describe('Keycloak realm', () => {
  const realm = JSON.parse(text(DEPLOY, 'keycloak/gate-realm.json')) as Realm;
  const mappersOf = (name: string) =>
    realm.clientScopes.find((scope) => scope.name === name)?.protocolMappers ?? [];

  it('is the issuer of compose.yaml and issues tokens with the audience of the gateway', () => {
    const { AUTH_ISSUER: issuer, PUBLIC_URL: url } = gates[0]?.[1].environment ?? {};
    expect(issuer?.endsWith(`/realms/${realm.realm}`)).toBe(true);
    const audience = mappersOf('gate')[0]?.config['included.custom.audience'];
    expect(filled(audience ?? '')).toBe(`${filled(url ?? '')}/mcp`);
  });

  it('has the scopes of the example tools as optional scopes of the client', () => {
    const asked = readdirSync(join(ROOT, 'src/examples'))
      .filter((name) => name.endsWith('.tools.ts'))
      .flatMap((name) => matches(text(ROOT, 'src/examples', name), /@RequireScopes\('([\w.]+)'\)/g));
    expect([...new Set(asked)].sort()).toEqual([...TOOL_SCOPES]);
    for (const scope of TOOL_SCOPES) {
      const { attributes } = realm.clientScopes.find(({ name }) => name === scope) ?? { attributes: {} };
      expect(attributes).toMatchObject({ 'include.in.token.scope': 'true' });
    }
    for (const { publicClient, attributes, optionalClientScopes, defaultClientScopes } of realm.clients) {
      expect([publicClient, attributes['pkce.code.challenge.method']]).toEqual([true, 'S256']);
      expect(optionalClientScopes).toEqual(TOOL_SCOPES);
      // A realm file that lists scopes replaces Keycloak's defaults; these carry sub, roles and the audience.
      expect(defaultClientScopes).toEqual(['gate', 'basic', 'roles', 'acr', 'profile']);
      for (const name of defaultClientScopes) expect(mappersOf(name).length).toBeGreaterThan(0);
    }
  });

  it('has the users of the demo with their roles and permitted scopes, and no stored password', () => {
    expect(realm.users.map(({ username }) => username)).toEqual(PERSON_NAMES);
    for (const { username, realmRoles, credentials } of realm.users) {
      const { roles, scopes } = findPerson(username) ?? { roles: [], scopes: ['nobody'] };
      expect(realmRoles).toEqual(roles);
      const given = realm.scopeMappings.filter((mapping) =>
        mapping.roles.some((role) => realmRoles.includes(role)),
      );
      expect(given.map(({ clientScope }) => clientScope)).toEqual(scopes);
      expect(credentials.map(({ value }) => value)).toEqual([`\${${username.toUpperCase()}_PASSWORD}`]);
    }
  });
});

describe('Helm chart', () => {
  const values = parse(text(CHART, 'values.yaml')) as Record<string, unknown>;
  const schema = JSON.parse(text(CHART, 'values.schema.json')) as {
    properties: Record<string, { properties: Record<string, { enum: string[] }> }> & {
      settings: { propertyNames: { not: { enum: string[] } } };
    };
  };
  const templates = readdirSync(join(CHART, 'templates')).map((name) => text(CHART, 'templates', name));
  const statefulSet = text(CHART, 'templates/statefulset.yaml');
  const set = matches(statefulSet, /- name: ([A-Z][A-Z0-9_]+)$/gm);

  it('has the version of the project', () => {
    expect(parse(text(CHART, 'Chart.yaml'))).toMatchObject({ version: VERSION, appVersion: VERSION });
  });

  it('sets only known variables and rejects a second definition in settings', () => {
    expect(set.length).toBeGreaterThan(10);
    expect(set.filter((name) => !READ.includes(name))).toEqual([]);
    const own = schema.properties.settings.propertyNames.not.enum;
    expect(set.filter((name) => !own.includes(name))).toEqual([]);
    expect(own.filter((name) => !READ.includes(name))).toEqual([]);
    expect(own).toEqual(expect.arrayContaining(['DATABASE_URL', 'SMTP_URL']));
    expect(schema.properties.identity?.properties.preset?.enum).toEqual(PRESETS);
  });

  it('uses only existing values that the schema describes', () => {
    const used = templates.flatMap((template) => matches(template, /\.Values\.([\w.]+)/g));
    const missing = [...new Set(used)].filter((path) => {
      const keys = path.split('.');
      // `settings` holds free names, so the defaults contain none of them.
      if (keys[0] === 'settings') return false;
      let at: unknown = values;
      for (const key of keys) at = (at as Record<string, unknown> | undefined)?.[key];
      return at === undefined;
    });
    expect(missing).toEqual([]);
    const known = Object.keys(schema.properties).filter((name) => name !== 'global');
    expect(known.sort()).toEqual(Object.keys(values).sort());
  });

  it.each([
    'runAsNonRoot: true',
    'runAsUser: 10001',
    'readOnlyRootFilesystem: true',
    'allowPrivilegeEscalation: false',
    'drop: [ALL]',
    'type: RuntimeDefault',
    'automountServiceAccountToken: false',
    'enableServiceLinks: false',
    'startupProbe:',
    'livenessProbe:',
    'readinessProbe:',
  ])('contains %s', (line) => {
    expect(statefulSet).toContain(line);
  });

  it('grants an instance enough time to answer started requests', () => {
    const { preStopSeconds, terminationGracePeriodSeconds } = values as Record<string, number>;
    expect(terminationGracePeriodSeconds).toBeGreaterThan((preStopSeconds ?? 0) + SHUTDOWN_SECONDS);
  });

  it('mounts the policy as a whole folder, because files mounted with subPath never update', () => {
    expect(statefulSet.replace(/#.*$/gm, '')).not.toContain('subPath');
    expect(statefulSet).toMatch(/name: POLICY_DIR\n\s+value: (\S+)\n[^]*name: policy, mountPath: \1,/);
  });
});
