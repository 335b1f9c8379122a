/** Report lines about the responses of an issuer. Pure. */
import type { PublishedKey } from '../../auth/keys/published-keys.js';
import { proxyFor } from '../../config/proxies.js';
import type { IssuerSettings, OutboundSettings } from '../../config/settings.js';
import type { IssuerAnswers, MetadataAnswer } from './ask-issuer.js';
import { guessProvider, PROVIDER_NAMES } from './providers.js';
import type { Advice, Line } from './report.js';
import type { NameSetting } from './setting.js';
import { duration, formatList, quote, escapeControlChars } from '../../lib/format-text.js';
import { bindingLines, loginLines } from './login-lines.js';
import { adviseOnConnection } from './rules/connection.js';
import { audiencesMeant } from './rules/audience.js';
import { compareIssuers, isMetadataAddress, issuerOfMetadata } from './rules/issuer.js';

const MAX_KEYS = 12;

export interface IssuerCase {
  readonly issuer: IssuerSettings;
  readonly answers: IssuerAnswers;
  readonly setting: NameSetting;
  /** Resource identifier of this server. */
  readonly resource: string;
  /** Challenges name the first issuer, so clients need its metadata. */
  readonly isFirst: boolean;
  readonly outbound: OutboundSettings | undefined;
  /** True with NODE_ENV=production: the server rejects a demo issuer. */
  readonly refusesDemoIssuer: boolean;
}

export function issuerLines(subject: IssuerCase): Line[] {
  const { document } = subject.answers;
  return [
    metadataLine(subject),
    ...proxyLine(subject),
    ...keyLines(subject),
    ...introspectionLine(subject),
    audienceLine(subject),
    ...presetLine(subject),
    ...clockLine(subject),
    ...(document ? [...loginLines(document), ...bindingLines(subject.issuer, document)] : []),
  ];
}

function metadataLine({ issuer, answers, setting, isFirst, refusesDemoIssuer }: IssuerCase): Line {
  const name = 'metadata';
  const right = answers.metadata.at(-1) as MetadataAnswer;
  if (refusesDemoIssuer && answers.document?.demo_issuer === true) {
    return {
      name,
      state: 'fail',
      message: `${right.address} belongs to a demo issuer, which the server rejects with NODE_ENV=production`,
      advice: {
        rule: 'demo-issuer',
        message: 'A demo issuer logs in any user by name.',
        serverFix: `Name a production issuer in ${setting('issuer')}, or omit NODE_ENV=production on a test system.`,
      },
    };
  }
  if (answers.document) return { name, state: 'ok', message: `${right.address}, for exactly this issuer` };
  if (answers.metadata.length === 0) {
    return {
      name,
      state: 'warn',
      message:
        'none: the issuer is an http identifier, which the gateway never fetches, so clients receive no login address',
      advice: {
        rule: 'identifier-without-metadata',
        message:
          'The metadata of AD FS is at https://HOST/adfs/.well-known/openid-configuration, and clients are sent to the issuer of that address.',
        serverFix: `${setting('metadata_url')}.`,
      },
    };
  }
  const other = answers.metadata.find(({ document }) => document);
  const said = other?.issuer;
  const difference =
    typeof said === 'string'
      ? compareIssuers({ said, configured: issuer.issuer, setting })
      : metadataAddressAdvice(issuer.issuer, setting);
  const failures = answers.metadata.map(({ failure = '' }) => failure).join('; ');
  return {
    name,
    // With configured addresses the server does not need metadata; clients do.
    state: needsMetadata(issuer) ? 'fail' : 'warn',
    message: `none: ${failuresOf(answers.metadata)}${needsMetadata(issuer) || !isFirst ? '' : '; clients need it to log in'}`,
    advice: difference ?? adviseOnConnection(failures),
  };
}

/** With a configured proxy: the route to this issuer. */
function proxyLine({ issuer, answers, outbound }: IssuerCase): Line[] {
  if (!outbound) return [];
  const keys: unknown = issuer.jwksUri ?? answers.document?.jwks_uri;
  const urls = [issuer.metadataUrl ?? issuer.issuer, keys, issuer.introspection?.endpoint];
  const hosts = new Map<string, string>();
  for (const url of urls) {
    if (typeof url !== 'string' || !URL.canParse(url)) continue;
    const proxy = proxyFor(outbound, url);
    const way = proxy
      ? `through the proxy ${proxy.name} (${proxy.variable})`
      : 'directly (NO_PROXY or loopback)';
    hosts.set(new URL(url).host, way);
  }
  const message = [...hosts].map(([host, way]) => `${escapeControlChars(host)} ${way}`).join(', ');
  return [{ name: 'proxy', state: 'ok', message }];
}

/** The address names the issuer, even without its document. */
function metadataAddressAdvice(configured: string, setting: NameSetting): Advice | undefined {
  if (!isMetadataAddress(configured)) return undefined;
  return {
    rule: 'well-known-address',
    message:
      'The configured issuer is the address of a metadata document. The issuer is the text that this document names as "issuer".',
    serverFix: `Probably ${setting('issuer', issuerOfMetadata(configured))}.`,
  };
}

/** Equal failures of several addresses are reported once. */
function failuresOf(answers: readonly MetadataAnswer[]): string {
  const failures = new Map<string, string[]>();
  for (const { address, issuer, failure } of answers) {
    const what = failure === undefined ? `is the metadata of ${quote(issuer)}` : escapeControlChars(failure);
    failures.set(what, [...(failures.get(what) ?? []), address]);
  }
  return [...failures].map(([what, addresses]) => `${addresses.join(', ')}: ${what}`).join('; ');
}

function needsMetadata({ jwksUri, introspection }: IssuerSettings): boolean {
  return introspection ? introspection.endpoint === undefined : jwksUri === undefined;
}

function keyLines({ issuer, answers: { keys }, setting }: IssuerCase): Line[] {
  const name = 'keys';
  if (issuer.introspection) return [];
  if (!keys)
    return [{ name, state: 'not checked', message: 'their address is unknown without the metadata' }];
  const inMetadata: Advice | undefined =
    issuer.jwksUri !== undefined && isMetadataAddress(issuer.jwksUri)
      ? {
          rule: 'keys-at-metadata',
          message: 'The configured address of the keys looks like that of a metadata document.',
          serverFix: `Remove ${setting('jwks_uri')}: the metadata names the address of the keys.`,
        }
      : undefined;
  if ('failure' in keys) {
    return [
      {
        name,
        state: 'fail',
        message: `none: ${escapeControlChars(keys.failure)}`,
        advice: inMetadata ?? adviseOnConnection(keys.failure),
      },
    ];
  }
  const { published, uri, ignored } = keys;
  const lines: Line[] = [
    published.keys.length > 0
      ? { name, state: 'ok', message: `${published.keys.length} at ${uri}: ${namesOf(published.keys)}` }
      : {
          name,
          state: 'fail',
          message: `none at ${uri} can be used`,
          ...(inMetadata && { advice: inMetadata }),
        },
  ];
  if (ignored.length > 0) {
    const algorithms = [...new Set(ignored.flatMap(({ algorithms: fits }) => [...fits]))];
    lines.push({
      name: 'algorithms',
      state: 'warn',
      message: `accepted algorithms: ${issuer.algorithms.join(', ')}; keys for other algorithms: ${namesOf(ignored)}`,
      advice: {
        rule: 'algorithm-not-listed',
        message: 'The gateway rejects tokens that are signed with these keys (token_algorithm).',
        serverFix: `If these keys sign access tokens: ${setting('algorithms', [...issuer.algorithms, ...algorithms].join(','))}.`,
      },
    });
  }
  const odd = published.dropped.filter(({ faulty }) => faulty).map(({ what }) => escapeControlChars(what));
  if (odd.length > 0) {
    lines.push({
      name: 'odd keys',
      state: 'warn',
      message: `not used: ${odd.slice(0, MAX_KEYS).join('; ')}`,
    });
  }
  return lines;
}

function namesOf(keys: readonly PublishedKey[]): string {
  const names = keys.map(
    ({ kid, algorithms }) =>
      `${kid === undefined ? 'without a kid' : quote(kid, 64)} (${[...algorithms].join(' ')})`,
  );
  const more = names.length > MAX_KEYS ? ` and ${names.length - MAX_KEYS} more` : '';
  return names.slice(0, MAX_KEYS).join(', ') + more;
}

function introspectionLine({ issuer, answers: { introspection: answer } }: IssuerCase): Line[] {
  if (!issuer.introspection || answer === undefined) return [];
  const name = 'introspection';
  const { clientId, authentication, endpoint } = issuer.introspection;
  const where = `${endpoint ?? 'the endpoint of the metadata'}, as the client ${quote(clientId)} with ${authentication.method}`;
  if (answer === 'accepted')
    return [
      {
        name,
        state: 'ok',
        message: `${where}: it accepts this server as a client, and reports an invented token as inactive`,
      },
    ];
  if (answer === 'believes-anything') {
    return [
      {
        name,
        state: 'fail',
        message: `${where}: it reports an invented token as active, so every token would be accepted`,
      },
    ];
  }
  const message = `${where}: ${escapeControlChars(answer.failure)}`;
  if (!answer.refused) return [{ name, state: 'fail', message, advice: adviseOnConnection(answer.failure) }];
  return [
    {
      name,
      state: 'fail',
      message,
      advice: {
        rule: 'introspection-client-refused',
        message:
          'The provider rejects the client authentication of this server, or does not permit introspection.',
        providerFix:
          'Check the client at the provider: id, secret or public key, authentication method, and permission to introspect.',
        serverFix:
          'introspection: client_id, client_authentication, client_secret_file or private_key_file, in IDENTITY_FILE.',
      },
    },
  ];
}

function audienceLine({ issuer, resource, setting }: IssuerCase): Line {
  const own = issuer.audience.includes(resource);
  const message = `tokens must be for ${formatList(issuer.audience)}${own ? ', the resource identifier of this server' : `; clients request the resource ${quote(resource)}, which the provider must map to this audience`}`;
  const near = own ? undefined : audiencesMeant(issuer.audience, resource);
  if (near === undefined) return { name: 'audience', state: 'ok', message };
  return {
    name: 'audience',
    state: 'warn',
    message,
    advice: {
      rule: 'audience-nearly',
      message: `${quote(near)} and ${quote(resource)} are nearly the same, but audiences are compared as texts: the gateway rejects tokens for the resource that clients request (token_audience).`,
      serverFix: `Set PUBLIC_URL to the origin in the audience; or ${setting('audience', resource)}.`,
    },
  };
}

function presetLine({ issuer: { issuer, preset }, setting }: IssuerCase): Line[] {
  const provider = guessProvider(issuer);
  if (!provider || provider === preset) return [];
  return [
    {
      name: 'preset',
      state: 'warn',
      message: `${preset}, but this looks like an issuer of ${PROVIDER_NAMES[provider]}`,
      advice: {
        rule: 'preset-other',
        message: `The gateway reads scopes, roles and token types as the preset ${preset} defines them.`,
        serverFix: `${setting('preset', provider)}.`,
      },
    },
  ];
}

function clockLine({ issuer, answers, setting }: IssuerCase): Line[] {
  const ahead = answers.metadata.map(({ clockAhead }) => clockAhead).find((seconds) => seconds !== undefined);
  if (ahead === undefined) return [];
  const name = 'clock';
  const tolerance = issuer.clockToleranceSeconds;
  // The header has whole seconds.
  if (Math.abs(ahead) <= Math.max(tolerance, 1))
    return [{ name, state: 'ok', message: 'same as the clock of the issuer' }];
  const isBehind = ahead > 0;
  return [
    {
      name,
      state: 'warn',
      message: `the clock of this machine is ${duration(ahead)} ${isBehind ? 'behind' : 'ahead of'} the clock of the issuer; tolerance: ${tolerance} s`,
      advice: {
        rule: isBehind ? 'clock-behind' : 'clock-ahead',
        message: isBehind
          ? 'The gateway rejects new tokens as not yet valid.'
          : 'The gateway rejects tokens before they expire.',
        providerFix: 'Synchronize both machines with NTP.',
        serverFix: `${setting('clock_tolerance_seconds')} (at most 60) tolerates a small difference.`,
      },
    },
  ];
}
