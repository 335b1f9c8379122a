/**
 * `npm run bench:gate`: checks whether calls became more expensive. Compares ratios within one run with the stored
 * ratios (`gate.json`) and a margin above the noise. Takes less than a minute.
 *
 *   --write   stores the ratios of this run
 *
 * The main ratio is CPU time per request, because other processes and the disk affect it least. Requests per second
 * have a separate margin, which detects longer waits.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { requireBuild } from './lib/contestants.mjs';
import { compareWithFile } from './lib/gate-verdict.mjs';
import { measureBlocks } from './lib/measure-blocks.mjs';
import { gatePlan } from './lib/plan.mjs';
import { setScene } from './lib/scene.mjs';
import { blockTable, fixed, table } from './lib/text.mjs';

const FILE = new URL('gate.json', import.meta.url);
/** Rounds stop after this time, or earlier after `PACE.rounds`. */
const UNTIL_MS = 42_000;
const PACE = {
  rounds: 15,
  milliseconds: 400,
  warmUp: 24_000,
  patience: 10_000,
  settle: 200,
  mayBegin: () => true,
  isLate: () => performance.now() > UNTIL_MS,
};

const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
requireBuild();
const onFile = JSON.parse(readFileSync(FILE, 'utf8'));
const stage = await setScene({ say: console.error, fresh: {} });
try {
  const { blocks, notes } = await measureBlocks([gatePlan()], stage, PACE);
  const broken = notes.filter(({ error, refusedToTime }) => error ?? refusedToTime);
  console.log(blockTable(blocks[0]));
  const lines = compareWithFile(blocks[0], onFile);
  console.log(
    `\n${table(
      ['against', 'by', 'on file', 'now', 'at most', 'verdict'],
      lines.map(({ name, by, filed, now, limit, verdict }) => [
        name,
        by,
        fixed(filed),
        fixed(now),
        fixed(limit),
        verdict,
      ]),
    )}`,
  );
  if (values.write) {
    const ratios = Object.fromEntries(lines.map(({ id, now }) => [id, Number(now.toFixed(3))]));
    writeFileSync(FILE, `${JSON.stringify({ ...onFile, ratios }, null, 2)}\n`);
  } else if (
    broken.length > 0 ||
    lines.some(({ verdict }) => verdict === 'dearer' || verdict === 'not on file')
  )
    process.exitCode = 1;
  if (lines.some(({ verdict }) => verdict === 'cheaper')) {
    console.log('Calls became cheaper: store the ratios with npm run bench:gate -- --write');
  }
} finally {
  await stage.leave();
}
