/** Reads secrets from stdin. */

/**
 * Reads stdin to its end without blocking signals.
 * @param prompt printed on stderr for a terminal.
 */
export async function readStdin(prompt: string): Promise<string> {
  if (process.stdin.isTTY) console.error(prompt);
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
