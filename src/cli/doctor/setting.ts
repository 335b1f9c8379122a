/** Name of a setting in this deployment: a variable, or a member of `IDENTITY_FILE`. */

/** By member name; undefined if only the file has it. */
const VARIABLES = {
  issuer: 'AUTH_ISSUER',
  audience: 'AUTH_AUDIENCE',
  preset: 'AUTH_PRESET',
  token_types: 'AUTH_TOKEN_TYPES',
  algorithms: 'AUTH_ALGORITHMS',
  jwks_uri: 'AUTH_JWKS_URI',
  clock_tolerance_seconds: 'AUTH_CLOCK_TOLERANCE_SECONDS',
  max_token_lifetime_seconds: 'AUTH_MAX_TOKEN_LIFETIME_SECONDS',
  metadata_url: undefined,
  role_map: undefined,
  roles_separator: undefined,
  scope_prefix: undefined,
  claims: undefined,
  introspection: undefined,
  dpop: undefined,
  mtls: undefined,
} as const;

export type Setting = keyof typeof VARIABLES;

/** Values come from tokens, and users copy lines into shells: only plain names are printed. */
const PLAIN = /^[\w.:/,+-]{1,200}$/;

/** Names a setting, with its value if that is plain. */
export type NameSetting = (setting: Setting, value?: string | number) => string;

/** Comma-separated in variables, lists in the file. */
const LISTS: readonly Setting[] = ['audience', 'token_types', 'algorithms'];

function inYaml(setting: Setting, value: string | number): string {
  const items = String(value).split(',');
  const isList = LISTS.includes(setting) && (setting !== 'audience' || items.length > 1);
  return isList ? `[${items.join(', ')}]` : String(value);
}

export function settingNames(usesIdentityFile: boolean): NameSetting {
  return (setting, proposed) => {
    const value = proposed !== undefined && PLAIN.test(String(proposed)) ? proposed : undefined;
    const variable = usesIdentityFile ? undefined : VARIABLES[setting];
    if (variable) return value === undefined ? variable : `${variable}=${value}`;
    const entry = value === undefined ? setting : `${setting}: ${inYaml(setting, value)}`;
    return usesIdentityFile
      ? `${entry} (of this issuer, in IDENTITY_FILE)`
      : `${entry} (in an IDENTITY_FILE, which replaces the AUTH_ variables of the issuer)`;
  };
}
