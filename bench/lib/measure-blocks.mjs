/**
 * Measures the blocks of a plan: starts each server once, checks it, warms it up and measures the cells in turns.
 */
import { startLoad } from './children.mjs';
import { startContestant } from './contestants.mjs';
import { letIn, rightAnswer } from './door.mjs';
import { serverKey, serverKeys } from './plan.mjs';
import { contestant } from './roster.mjs';
import { requestFor } from './workload.mjs';

const LEAST_ROUNDS = 3;

/**
 * @param blocks the blocks of a plan; their cells get `rounds`
 * @param stage `issuer`, `databaseUrl`, `tokens`, `bad`, `say`, from `setScene`
 * @param pace `rounds`; `milliseconds` per round; `warmUp`: requests, within `patience` milliseconds; `settle`:
 *   pause before the rounds of a block; `mayBegin`: whether time is left for a block without a target; `isLate`:
 *   whether to stop at the minimum number of rounds
 * @returns the measured blocks, and the notes about each server
 */
export async function measureBlocks(blocks, stage, pace) {
  const load = startLoad();
  const servers = new Map();
  const notes = [];
  /** Servers without a measurement: failed start, incorrect response or accepted invalid token. */
  const out = new Set();
  try {
    const measured = [];
    const skipped = [];
    for (const [at, block] of blocks.entries()) {
      if (!block.isWanted && !pace.mayBegin()) {
        skipped.push(block.title);
        continue;
      }
      await startNeeded(block.cells.filter(({ server }) => !out.has(server)));
      const cells = block.cells.filter(({ server }) => !out.has(server));
      stage.say(`${block.title} (${cells.length} cells)`);
      measured.push({ ...block, cells: await measureBlock(cells) });
      await stopUnneeded(blocks.slice(at + 1));
    }
    return { blocks: measured, notes, skipped };
  } finally {
    for (const server of servers.values()) await server.stop();
    await load.stop();
  }

  async function startNeeded(cells) {
    const wanted = new Map(cells.flatMap((cell) => serverKeys(cell).map((key) => [key, cell])));
    const missing = [...wanted].filter(([key]) => !servers.has(key));
    // Two at a time: the start is not measured here.
    for (let at = 0; at < missing.length; at += 2) {
      await Promise.all(missing.slice(at, at + 2).map(([key, cell]) => admit(key, cell)));
    }
    for (const [key] of missing) if (servers.has(key)) await warmUp(key);
  }

  /** Reports a server that accepts an invalid token and does not measure it. */
  async function admit(key, { server: name, tools }) {
    const one = contestant(name);
    try {
      const server = await startContestant(one, { tools, ...stage });
      servers.set(key, server);
      for (const revision of one.revisions) {
        for (const method of ['tools/call', 'tools/list']) {
          await rightAnswer(server.port, stage.tokens.RS256.repeated[0], { method, revision, tools });
          await rightAnswer(server.port, stage.tokens.ES256.repeated[0], { method, revision, tools });
        }
      }
      const found = await letIn(server.port, stage.bad, { ...one, tools });
      // The server without a token check shows the maximum of the load generator.
      const isOpen = one.kind === 'limit';
      if (found.length === 0 || isOpen) {
        if (!notes.some((note) => note.server === name)) {
          notes.push({ server: name, letsIn: found, idle: server.idle, says: one.says, kind: one.kind });
        }
        return;
      }
      notes.push({ server: name, letsIn: found, says: one.says, kind: one.kind, refusedToTime: true });
      stage.say(`${name} accepts the tokens ${found.join(', ')} and is not measured`);
    } catch (error) {
      notes.push({ server: name, error: error.message, says: one.says, kind: one.kind });
      stage.say(`${name} is skipped: ${error.message}`);
    }
    out.add(name);
    await servers.get(key)?.stop();
    servers.delete(key);
  }

  /** Sends enough requests to compile the hot code, within a time limit. */
  async function warmUp(key) {
    const asked = blocks.flatMap(({ cells }) => cells.filter((cell) => serverKeys(cell).includes(key)));
    const kinds = new Map(asked.map((cell) => [`${cell.method} ${cell.revision}`, cell]));
    const each = { requests: Math.ceil(pace.warmUp / kinds.size), milliseconds: pace.patience / kinds.size };
    const ports = [servers.get(key).port];
    const tokens = stage.tokens.RS256.repeated;
    for (const cell of kinds.values()) {
      await load.run({ ports, tokens, ...requestFor(cell), concurrency: 16, least: 0, ...each });
    }
  }

  async function measureBlock(cells) {
    const prepared = [];
    for (const cell of cells) {
      const { port } = servers.get(serverKey(cell));
      const least = (await rightAnswer(port, stage.tokens[cell.algorithm].repeated[0], cell)) - 2;
      prepared.push({ ...cell, least, rounds: [] });
    }
    for (const cell of prepared) await measureCell(cell, -1);
    for (let round = 0; round < pace.rounds && (round < LEAST_ROUNDS || !pace.isLate?.()); round++) {
      for (const cell of prepared) cell.rounds.push(await measureCell(cell, round));
    }
    return prepared;
  }

  /** One round of one cell; the round before the first one is discarded. */
  async function measureCell(cell, round) {
    const involved = serverKeys(cell).map((key) => servers.get(key));
    const { repeated, fresh } = stage.tokens[cell.algorithm];
    const share = cell.fresh ? Math.floor(fresh.length / (pace.rounds + 1)) : 0;
    const once = fresh.slice((round + 1) * share, (round + 2) * share);
    const { headers, message } = requestFor(cell);
    const before = await figuresOf(involved);
    const figures = await load.run({
      ports: involved.map(({ port }) => port),
      tokens: cell.fresh ? once : repeated,
      once: cell.fresh,
      ...(!cell.fresh && { milliseconds: round < 0 ? pace.settle : pace.milliseconds }),
      headers,
      message,
      concurrency: cell.concurrency,
      least: cell.least,
    });
    const after = await figuresOf(involved);
    const each = (part) => (after[part] - before[part]) / Math.max(1, figures.count);
    return {
      ...figures,
      user: each('user'),
      system: each('system'),
      cpu: each('user') + each('system'),
      rss: after.rss,
    };
  }

  async function stopUnneeded(later) {
    const needed = new Set(later.flatMap(({ cells }) => cells.flatMap(serverKeys)));
    for (const [key, server] of servers) {
      if (needed.has(key)) continue;
      servers.delete(key);
      await server.stop();
    }
  }
}

async function figuresOf(servers) {
  const all = await Promise.all(servers.map((server) => server.figures()));
  const total = (part) => all.reduce((sum, one) => sum + one[part], 0);
  return { user: total('user'), system: total('system'), rss: total('rss') };
}
