/** Matches resource URIs against templates whose variables are whole path segments (RFC 6570, level 1). Pure. */

export interface UriMatcher {
  /** Variables in the order of the template. */
  readonly names: readonly string[];
  /** Decoded variables. Undefined if the URI does not match. */
  match(uri: string): Readonly<Record<string, string>> | undefined;
}

const VARIABLE = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/**
 * @throws Error if the template has no variable, a repeated variable, an expression other than `{name}`, or a
 * variable that is part of a segment. Two variables in one segment would allow exponential matching of hostile URIs.
 */
export function compileUriTemplate(template: string): UriMatcher {
  const names = [...template.matchAll(VARIABLE)].map((found) => found[1] as string);
  if (names.length === 0) throw new Error(`${template} has no variable`);
  if (new Set(names).size !== names.length) throw new Error(`${template} names a variable twice`);
  if (/[{}]/.test(template.replace(VARIABLE, '')))
    throw new Error(`${template} has an expression other than {name}`);
  if (/[^/]\{|\}[^/]/.test(template))
    throw new Error(`${template} has a variable that is no whole path segment`);
  const pattern = template
    .split(VARIABLE)
    .map((part, at) => (at % 2 === 0 ? part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : '([^/?#]+)'))
    .join('');
  const expression = new RegExp(`^${pattern}$`);
  return {
    names,
    match(uri) {
      const found = expression.exec(uri);
      if (!found) return undefined;
      try {
        return Object.fromEntries(
          names.map((name, at) => [name, decodeURIComponent(found[at + 1] as string)]),
        );
      } catch {
        // A malformed percent sequence matches no template.
        return undefined;
      }
    },
  };
}
