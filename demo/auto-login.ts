/** Login by name and consent without a page: the request names the user, and the user's rights are the consent. */
import type { Context, Interaction, Provider } from 'oidc-provider';
import { findPerson, PERSON_NAMES, type Person } from './people.js';

export const AUTHORIZATION_PATH = '/authorize';
export const INTERACTION_PATH = '/interaction';

/** Cookie name of oidc-provider. */
const SESSION_COOKIE = '_session';

/** Scopes of the issuer itself; they grant no access to the resource. */
const OWN_SCOPES = ['openid', 'offline_access'];

export interface LoginOptions {
  /** User for requests without `login_hint`, which most clients omit. Unset: see `showsPage`. */
  readonly defaultPerson?: string | undefined;
  /**
   * True: a login without `login_hint` and default user shows a page with all names. Default: such a login is
   * denied.
   */
  readonly showsPage?: boolean | undefined;
}

export function autoLogin(provider: Provider, options: LoginOptions) {
  return async (context: Context, next: () => Promise<void>): Promise<void> => {
    // Removes the session, so that each login uses the user of its own request.
    if (context.path === AUTHORIZATION_PATH) {
      delete context.req.headers.cookie;
      context.cookies.set(SESSION_COOKIE, null, { signed: false });
    }
    if (!context.path.startsWith(`${INTERACTION_PATH}/`)) return next();
    const interaction = await provider.interactionDetails(context.req, context.res);
    const isLogin = interaction.prompt.name === 'login';
    const chosen = options.showsPage ? context.query['person'] : undefined;
    const name = interaction.params.login_hint ?? options.defaultPerson ?? chosen;
    if (isLogin && name === undefined && options.showsPage) {
      context.type = 'html';
      context.body = loginPage();
      return;
    }
    const result = isLogin ? login(name) : await consent(provider, interaction);
    context.redirect(await provider.interactionResult(context.req, context.res, result));
  };
}

function loginPage(): string {
  const links = PERSON_NAMES.map((name) => `<li><a href="?person=${name}">${name}</a></li>`);
  return `<!doctype html><title>Demo issuer</title><h1>Log in as</h1><ul>${links.join('')}</ul>`;
}

function login(name: unknown): Record<string, unknown> {
  if (!findPerson(name)) return denied(`login_hint must name one of ${PERSON_NAMES.join(', ')}`);
  return { login: { accountId: name } };
}

async function consent(provider: Provider, interaction: Interaction): Promise<Record<string, unknown>> {
  const accountId = interaction.session?.accountId;
  const person = findPerson(accountId);
  if (accountId === undefined || !person) return denied('No user is logged in');
  const clientId = String(interaction.params.client_id);
  const known = interaction.grantId ? await provider.Grant.find(interaction.grantId) : undefined;
  const grant = known ?? new provider.Grant({ accountId, clientId });
  const { missingOIDCScope = [], missingResourceScopes = {} } = interaction.prompt.details;
  const own = split(missingOIDCScope, [...OWN_SCOPES, ...person.scopes]);
  grant.addOIDCScope(own.granted);
  grant.rejectOIDCScope(own.refused);
  for (const [resource, scopes] of Object.entries(missingResourceScopes)) {
    const { granted, refused } = split(scopes, person.scopes);
    grant.addResourceScope(resource, granted);
    // An unrecorded rejection would make the provider ask repeatedly.
    grant.rejectResourceScope(resource, refused);
  }
  return { consent: { grantId: await grant.save() } };
}

function split(
  wanted: readonly string[],
  allowed: Person['scopes'],
): { granted: readonly string[]; refused: readonly string[] } {
  return {
    granted: wanted.filter((scope) => allowed.includes(scope)),
    refused: wanted.filter((scope) => !allowed.includes(scope)),
  };
}

function denied(description: string): Record<string, unknown> {
  return { error: 'access_denied', error_description: description };
}
