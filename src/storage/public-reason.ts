/** One-line cause of a database failure: message and code, without the URL and any encoding of the password. */
export function publicReason(error: unknown, databaseUrl: string | undefined): string {
  const { message, name, code, errno } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const words = message || name || 'unknown error';
  const text = secretsOf(databaseUrl).reduce((line, secret) => line.replaceAll(secret, '***'), words);
  const number = code ?? errno;
  return text.replaceAll(/\s+/g, ' ').trim() + (number === undefined ? '' : ` (${number})`);
}

/** Longest first: a shorter secret may be part of a longer one. */
function secretsOf(databaseUrl: string | undefined): string[] {
  if (databaseUrl === undefined) return [];
  const secrets = [databaseUrl];
  if (URL.canParse(databaseUrl)) {
    const { password, searchParams } = new URL(databaseUrl);
    const asParameter = [searchParams.get('password'), /[?&]password=([^&#]*)/.exec(databaseUrl)?.[1]];
    for (const secret of [password, decoded(password), ...asParameter]) if (secret) secrets.push(secret);
  }
  return secrets.sort((a, b) => b.length - a.length);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
