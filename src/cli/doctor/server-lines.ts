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
  const near = isLoopbackHost(new URL(server.publicUrl).hostname)
    ? ', which only programs on this machine reach'
    : '';
  return {
    name: 'resource',
    state: 'ok',
    message: `clients ask for tokens for ${quote(server.resource)} (PUBLIC_URL + MCP_PATH)${near}`,
  };
}

/** `CHALLENGE_SCOPES`. The effective scopes depend on the policy of the running server. */
function challengeLine({ policy }: Settings): Line {
  const words = {
    allowed: 'every scope that an allowed tool, prompt or resource needs',
    minimal: 'the scopes of the read-only tools, prompts and resources alone',
  };
  const { challengeScopes: setting } = policy;
  const message =
    typeof setting === 'string'
      ? `CHALLENGE_SCOPES=${setting}: a first login asks for ${words[setting]}`
      : `CHALLENGE_SCOPES: a first login asks for ${formatList(setting, 20)}`;
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
        'the server cannot get the keys of every issuer, and the doctor could: ask again, and if that stays so, report it',
    },
  ];
}

function runningLines(
  { server: { resource }, policy, auth }: Settings,
  running: JsonObject | undefined,
  issuer: JsonObject | undefined,
): Line[] {
  if (!running) {
    const message = `no server answers at ${resource}: what it tells clients was not compared`;
    return [{ name: 'running', state: 'not checked', message }];
  }
  if (running.resource !== resource) {
    const message = `what answers at ${resource} says that it is ${quote(running.resource)}: another server, or other variables`;
    return [{ name: 'running', state: 'warn', message }];
  }
  return [
    {
      name: 'running',
      state: 'ok',
      message: 'a server answers at this address, and says that it is this one',
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
    'the server asks for other scopes than CHALLENGE_SCOPES names: restart it with these variables';
  return [{ name: 'challenge', state: 'warn', message }];
}

/** Compares the challenge scopes with `scopes_supported` of the issuer. */
function scopesLine(asked: readonly string[], issuer: JsonObject | undefined): Line[] {
  if (!issuer || asked.length === 0) return [];
  const name = 'scopes';
  const message = `clients are told to ask for ${formatList(asked)}`;
  if (!Array.isArray(issuer.scopes_supported)) {
    return [{ name, state: 'ok', message: `${message}; the issuer does not say which it knows` }];
  }
  const known = textsOf(issuer.scopes_supported);
  const unknown = asked.filter((scope) => !known.includes(scope));
  if (unknown.length === 0) return [{ name, state: 'ok', message: `${message}, and the issuer knows them` }];
  return [
    {
      name,
      state: 'warn',
      message: `${message}; the issuer does not list ${formatList(unknown)}`,
      advice: {
        rule: 'scope-unknown',
        message:
          'A login that asks for a scope that the issuer does not know fails there (invalid_scope), or brings a token without it. Some issuers (Entra ID) list no scope of an API, and know it all the same.',
        providerFix: 'Define the scopes of the tools for the API that stands for this server.',
        serverFix: 'Or name the scopes that the issuer knows in CHALLENGE_SCOPES.',
      },
    },
  ];
}
