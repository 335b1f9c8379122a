/**
 * Preloaded into every measured server (`--import`): reports CPU time and memory and records profiles on request.
 * The server code does not change.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

if (process.send) {
  let session;
  const answers = {
    figures: ({ collect }) => {
      if (collect) globalThis.gc?.();
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed } = process.memoryUsage();
      return { user, system, rss, heapUsed };
    },
    profile: async () => {
      session = new Session();
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: 250 });
      await session.post('Profiler.start');
      return true;
    },
    profiled: async ({ file }) => {
      const { profile } = await session.post('Profiler.stop');
      session.disconnect();
      writeFileSync(file, JSON.stringify(profile));
      return true;
    },
  };
  process.on('message', async (message) => {
    const answer = answers[message?.ask];
    if (answer) process.send({ [message.ask]: await answer(message) });
  });
  process.channel.unref();
}
