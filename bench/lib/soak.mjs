/** Measures memory over many calls, with a full garbage collection before each sample. */
import { startLoad } from './children.mjs';
import { startContestant } from './contestants.mjs';
import { contestant } from './roster.mjs';
import { LEGACY, requestFor } from './workload.mjs';

const SAMPLES = 24;

/**
 * @param calls number of calls of the product, 16 concurrent, from 64 users in turn
 * @param milliseconds time limit; the test then ends with fewer calls
 */
export async function soak(stage, calls, milliseconds) {
  const load = startLoad();
  const name = stage.databaseUrl ? 'product-pg' : 'product';
  const server = await startContestant(contestant(name), { tools: 10, ...stage });
  const { headers, message } = requestFor({ method: 'tools/call', revision: LEGACY, tools: 10 });
  const samples = [];
  const failed = {};
  try {
    const share = { requests: Math.ceil(calls / SAMPLES) };
    if (Number.isFinite(milliseconds)) share.milliseconds = milliseconds / SAMPLES;
    let done = 0;
    for (let sample = 0; sample < SAMPLES; sample++) {
      // New tokens, because old ones expire during a million calls; the token cache must also evict entries.
      const tokens = await stage.mint(64);
      const job = { ports: [server.port], tokens, headers, message, ...share };
      const { count, failures } = await load.run({ ...job, concurrency: 16, least: 0 });
      done += count;
      for (const [what, times] of Object.entries(failures)) failed[what] = (failed[what] ?? 0) + times;
      const { rss, heapUsed } = await server.figures(true);
      samples.push({ calls: done, rss, heapUsed });
    }
    return { server: name, calls: done, samples, failures: failed };
  } finally {
    await server.stop();
    await load.stop();
  }
}
