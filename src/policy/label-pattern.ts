/** Patterns of targets: `read_*`, `prompt:*`. Pure. */

/** A star matches characters of a name, never a kind: `*` matches every tool and no prompt. */
export function matchesLabel(pattern: string, label: string): boolean {
  const [kind, name] = split(pattern);
  const [ownKind, ownName] = split(label);
  return kind === ownKind && matches(name, ownName);
}

function split(label: string): [kind: string, name: string] {
  const colon = label.indexOf(':');
  return [label.slice(0, colon + 1), label.slice(colon + 1)];
}

/** Without a regular expression: many stars would make it slow. */
function matches(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === name;
  const last = rest.pop() ?? '';
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
