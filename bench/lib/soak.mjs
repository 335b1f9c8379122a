/** Whether memory is flat over many calls: samples of it, each after a full garbage collection. */
import { startLoad } from './children.mjs';
import { contestant, startContestant } from './contestants.mjs';
import { LEGACY, requestFor } from './workload.mjs';

const SAMPLES = 24;

/** @param calls so many of the product, 16 at a time, from 64 people in turn */
export async function soak(stage, calls) {
  const load = startLoad();
  const name = stage.databaseUrl ? 'product-pg' : 'product';
  const server = await startContestant(contestant(name), { tools: 10, ...stage });
  const { headers, message } = requestFor({ method: 'tools/call', revision: LEGACY, tools: 10 });
  const samples = [];
  let failures = 0;
  try {
    const requests = Math.ceil(calls / SAMPLES);
    for (let sample = 0; sample < SAMPLES; sample++) {
      const job = {
        ports: [server.port],
        tokens: stage.tokens.RS256.repeated,
        headers,
        message,
        requests,
        least: 0,
      };
      const { count } = await load.run({ ...job, concurrency: 16 });
      failures += requests - count;
      const { rss, heapUsed } = await server.figures(true);
      samples.push({ calls: (sample + 1) * requests, rss, heapUsed });
    }
    return { server: name, calls: SAMPLES * requests, samples, failures };
  } finally {
    await server.stop();
    await load.stop();
  }
}
