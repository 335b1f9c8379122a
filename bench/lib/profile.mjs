/** CPU profile of the product under load, by groups. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startLoad } from './children.mjs';
import { startContestant } from './contestants.mjs';
import { groupProfile } from './profile-groups.mjs';
import { contestant } from './roster.mjs';
import { requestFor } from './workload.mjs';

const CONCURRENCY = 16;

/**
 * @param what `server`, `method`, `revision`, `tools`; `warmUp` and `calls`: numbers of calls
 * @param folder receives the profile, which any viewer of V8 profiles can open
 */
export async function profileUnderLoad(stage, { server: name, warmUp, calls, ...what }, folder) {
  const load = startLoad();
  const server = await startContestant(contestant(name), { ...stage, tools: what.tools });
  const job = {
    ports: [server.port],
    tokens: stage.tokens.RS256.repeated,
    concurrency: CONCURRENCY,
    least: 0,
    ...requestFor(what),
  };
  try {
    await load.run({ ...job, requests: warmUp });
    await server.startProfile();
    const before = await server.figures();
    const { count, rate, failures } = await load.run({ ...job, requests: calls });
    const after = await server.figures();
    const file = join(folder, `${name}-${what.method.replace('/', '-')}-${what.revision}.cpuprofile`);
    await server.endProfile(file);
    const groups = groupProfile(JSON.parse(await readFile(file, 'utf8')));
    const busy = groups.reduce((sum, [, time]) => sum + time, 0);
    const cpu = after.user + after.system - before.user - before.system;
    return { file, count, rate, failures, groups, busy, cpu };
  } finally {
    await server.stop();
    await load.stop();
  }
}
