/** Report lines about the configuration of this server and about a running server. Pure. */
import { isLoopbackHost } from '../../config/rules.js';
import type { ChallengeScopes, Settings } from '../../config/settings.js';
import type { JsonObject } from '../../lib/json.js';
import type { Line } from './report.js';
import { formatList, quote } from '../../lib/format-text.js';
import { textsOf } from './diagnostic-context.js';

export interface ServerCase {
  readonly settings: Settings;
  /** True if the keys of every issuer are known. */
  readonly ready: boolean;
  /** True if a failure of an issuer is already reported. */
  readonly explained: boolean;
  /** Metadata of a server at this address (RFC 9728); undefined without one. */
  readonly running: JsonObject | undefined;
  /** Metadata of the first issuer; undefined without it. */
  readonly issuer: JsonObject | undefined;
}

export function serverLines(subject: ServerCase): Line[] {
  const { settings, ready, explained, running, issuer } = subject;
  return [
    resourceLine(settings),
    challengeLine(settings),
    ...settings.notices.map((message): Line => ({ name: 'notice', state: 'warn', message })),
    ...readyLine(ready, explained),
    ...runningLines(settings, running, issuer),
  ];
}

function resourceLine({ server }: Settings): Line {
  const near = isLoopbackHost(new URL(server.publicUrl).hostname) ? ', reachable only from this machine' : '';
  return {
    name: 'resource',
    state: 'ok',
    message: `clients request tokens for ${quote(server.resource)} (PUBLIC_URL + MCP_PATH)${near}`,
  };
}

/** `CHALLENGE_SCOPES`. The effective scopes depend on the policy of the running server. */
function challengeLine({ policy }: Settings): Line {
  const words = {
    allowed: 'every scope that an allowed tool, prompt or resource requires',
    minimal: 'only the scopes of the read-only tools, prompts and resources',
  };
  const { challengeScopes: setting } = policy;
  const message =
    typeof setting === 'string'
      ? `CHALLENGE_SCOPES=${setting}: a first login requests ${words[setting]}`
      : `CHALLENGE_SCOPES: a first login requests ${formatList(setting, 20)}`;
  return { name: 'challenge', state: 'ok', message };
}

/** Readiness of the keys, unless the issuer lines report it. */
function readyLine(ready: boolean, explained: boolean): Line[] {
  if (ready) return [{ name: 'keys', state: 'ok', message: 'the server has the keys of every issuer' }];
  if (explained) return [];
  return [
    {
      name: 'keys',
      state: 'fail',
      message:
        'the server cannot fetch the keys of every issuer, but the doctor could: run the doctor again, and report a repeated difference',
    },
  ];
}

function runningLines(
  { server: { resource }, policy, auth }: Settings,
  running: JsonObject | undefined,
  issuer: JsonObject | undefined,
): Line[] {
  if (!running) {
    const message = `no server answers at ${resource}: its metadata was not compared`;
    return [{ name: 'running', state: 'not checked', message }];
  }
  if (running.resource !== resource) {
    const message = `the server at ${resource} identifies itself as ${quote(running.resource)}: it is another server, or has other variables`;
    return [{ name: 'running', state: 'warn', message }];
  }
  return [
    {
      name: 'running',
      state: 'ok',
      message: 'a server runs at this address with this resource identifier',
    },
    ...otherScopesLine(policy.challengeScopes, auth.issuers[0]?.scopePrefix ?? '', running),
    ...scopesLine(textsOf(running.scopes_supported), issuer),
  ];
}

/** Line for a `CHALLENGE_SCOPES` list that differs from the running server. */
function otherScopesLine(setting: ChallengeScopes, prefix: string, { scopes_supported }: JsonObject): Line[] {
  if (typeof setting === 'string') return [];
  const asked = textsOf(scopes_supported).toSorted().join(' ');
  const wanted = setting.map((scope) => prefix + scope).toSorted();
  if (asked === wanted.join(' ')) return [];
  const message =
    'the running server requests other scopes than CHALLENGE_SCOPES names: restart it with these variables';
  return [{ name: 'challenge', state: 'warn', message }];
}

/** Compares the challenge scopes with `scopes_supported` of the issuer. */
function scopesLine(asked: readonly string[], issuer: JsonObject | undefined): Line[] {
  if (!issuer || asked.length === 0) return [];
  const name = 'scopes';
  const message = `the server tells clients to request ${formatList(asked)}`;
  if (!Array.isArray(issuer.scopes_supported)) {
    return [{ name, state: 'ok', message: `${message}; the issuer lists no scopes` }];
  }
  const known = textsOf(issuer.scopes_supported);
  const unknown = asked.filter((scope) => !known.includes(scope));
  if (unknown.length === 0) return [{ name, state: 'ok', message: `${message}, and the issuer lists them` }];
  return [
    {
      name,
      state: 'warn',
      message: `${message}; the issuer does not list ${formatList(unknown)}`,
      advice: {
        rule: 'scope-unknown',
        message:
          'A login with an unknown scope fails at the issuer (invalid_scope), or returns a token without the scope. Some issuers (Entra ID) accept API scopes that they do not list.',
        providerFix: 'Define the scopes of the tools for the API of this server.',
        serverFix: 'Or name only scopes of the issuer in CHALLENGE_SCOPES.',
      },
    },
  ];
}
