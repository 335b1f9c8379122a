/** Extracts a token from pasted text: quotes, header, JSON, line breaks. Pure. */

export interface Pasted {
  readonly token: string;
  /** Descriptions of removed parts; a client that sends them is rejected. */
  readonly removed: readonly string[];
}

const AROUND: readonly (readonly [RegExp, string])[] = [
  [/^(authorization|dpop)\s*:\s*/i, 'the header name'],
  [/^(bearer|dpop)\s+/i, 'the scheme name'],
  [/^["'`“”‘’«»]+|["'`“”‘’«»]+$/g, 'quotes'],
  [/^[,;]+|[,;]+$/g, 'a comma or semicolon'],
  [/^[ \t\p{Cf}\u00a0]+|[ \t\p{Cf}\u00a0]+$/gu, 'spaces'],
];

/** Line breaks at both ends are normal and not reported. */
export function readPasted(text: string): Pasted {
  const removed = new Set<string>();
  let token = text.replace(/^\ufeff/, '').replace(/^[\r\n]+|[\r\n]+$/g, '');
  const inJson = accessTokenIn(token);
  if (inJson !== undefined) {
    token = inJson;
    removed.add('the JSON of a token response');
  }
  for (let before = ''; before !== token;) {
    before = token;
    for (const [what, name] of AROUND) {
      const rest = token.replace(what, '');
      if (rest !== token) removed.add(name);
      token = rest.replace(/^[\r\n]+|[\r\n]+$/g, '');
    }
  }
  const whole = token.replace(/[\s\p{Cf}]+/gu, '');
  if (whole !== token) removed.add('line breaks or spaces inside');
  return { token: whole, removed: [...removed] };
}

/** Token response `{ "access_token": "…" }` (RFC 6749 section 5.1). */
function accessTokenIn(text: string): string | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const { access_token: token } = JSON.parse(text) as { access_token?: unknown };
    return typeof token === 'string' ? token : undefined;
  } catch {
    return undefined;
  }
}
