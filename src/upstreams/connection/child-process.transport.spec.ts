/** A misbehaving program harms only its own upstream. */
import { ChildProcessTransport } from './child-process.transport.js';

async function started(program: string): Promise<{ transport: ChildProcessTransport; errors: Error[] }> {
  const errors: Error[] = [];
  const transport = new ChildProcessTransport({
    command: [process.execPath, '-e', program],
    environment: {},
    workingDirectory: '/',
    maxMessageBytes: 1024 * 1024,
    onStderr: () => undefined,
    onExit: () => undefined,
    running: new Set(),
  });
  transport.onerror = (error) => errors.push(error);
  await transport.start();
  return { transport, errors };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it('limits buffered answers for a program that does not read them', async () => {
  const { transport } = await started('setInterval(() => {}, 1000)');
  const reply = { jsonrpc: '2.0' as const, id: 1, result: { text: 'x'.repeat(10_000) } };
  let refused = 0;
  for (let count = 0; count < 200; count++) transport.send(reply).catch(() => (refused += 1));
  await pause(0);
  expect(refused).toBeGreaterThan(100);
  // A request of the gateway is not an answer.
  const asked = transport.send({ jsonrpc: '2.0', id: 2, method: 'ping' });
  await expect(Promise.race([asked.catch(() => 'refused'), pause(50)])).resolves.toBeUndefined();
  await transport.close();
  await asked.catch(() => undefined);
});

it('lets other work run while a program writes endlessly, and reports it once per second', async () => {
  const { transport, errors } = await started(
    "const junk = 'x\\n'.repeat(30000); const go = () => { while (process.stdout.write(junk)); process.stdout.once('drain', go); }; go()",
  );
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 10);
  await pause(1_500);
  clearInterval(timer);
  await transport.close();
  expect(errors.length).toBeGreaterThan(0);
  expect(errors.length).toBeLessThan(10);
  expect(turns).toBeGreaterThan(15);
});
