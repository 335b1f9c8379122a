/**
 * Preloaded into every server that is measured (`--import`): tells its processor time and memory when it is asked, and
 * profiles itself where that is asked for. The server itself need not know.
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
