/** Stdin as text; how secrets reach a command. */

/**
 * Waits for the end of stdin without blocking signals.
 * @param prompt printed on stderr where a person types.
 */
export async function readStdin(prompt: string): Promise<string> {
  if (process.stdin.isTTY) console.error(prompt);
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
