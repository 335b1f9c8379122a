/** `npm run doctor`: arguments and stdin in, a report and an exit code out. */
import 'reflect-metadata';
import { lostOptions, usageError, WRONG_USAGE } from '../usage.js';
import { npmVariables, readEnvironment } from '../../config/environment.js';
import { ConfigurationError, type Environment } from '../../config/load-settings.js';
import { HELP, readCommandLine, USAGE } from './command-line.js';
import { examine, examineTheStart } from './examine.js';
import { readPasted, type Pasted } from './pasted.js';
import { renderJson, renderText } from './render.js';
import { faultyConfiguration, type Report } from './report.js';

const GOOD = 0;
const NOT_GOOD = 1;

/** Where nobody sees how wide the screen is, and the widest that is read with ease. */
const WIDTH = 100;
const WIDEST = 120;

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const lost = lostOptions(USAGE, args, npmVariables());
  if (lost !== undefined) return wrongUsage(lost);
  const command = readCommandLine(args);
  if (command.kind === 'help') {
    await write(`${HELP}\n`);
    return GOOD;
  }
  if (command.kind === 'wrong') return wrongUsage(command.message);
  let pasted: Pasted | undefined;
  if (command.kind === 'token') {
    pasted = readPasted(command.token ?? (await readStdin()));
    if (pasted.token === '') return wrongUsage('There is no token.');
  }
  const report = await reportOn(command.kind === 'start', pasted);
  const { isTTY, columns } = process.stdout;
  const match = { colour: isTTY, width: isTTY ? Math.min(columns, WIDEST) : WIDTH };
  await write(command.json ? renderJson(report) : renderText(report, match));
  return report.good ? GOOD : NOT_GOOD;
}

/** Faults of `.env` stop the server, as those of the variables do. */
async function reportOn(isAboutStart: boolean, pasted: Pasted | undefined): Promise<Report> {
  let env: Environment;
  try {
    env = readEnvironment();
  } catch (error) {
    if (error instanceof ConfigurationError) return faultyConfiguration(error.faults);
    throw error;
  }
  return isAboutStart ? examineTheStart(env) : examine(env, pasted);
}

function wrongUsage(message: string): number {
  console.error(usageError(USAGE, message));
  return WRONG_USAGE;
}

async function readStdin(): Promise<string> {
  // A terminal gives no more than 4,095 characters of one line.
  if (process.stdin.isTTY)
    console.error('Paste the token and press Ctrl-D; a long one comes better from a file.');
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

// The server's own timers do not keep a process alive, and an end without a word must not look like a good one.
process.exitCode = NOT_GOOD;
setInterval(() => undefined, 60_000);
main().then(
  // Not left to end by itself: connections to an issuer stay open for seconds.
  (code) => process.exit(code),
  (error: unknown) => {
    // Of an error nobody foresaw not its fields: those may hold claims.
    const known = error instanceof ConfigurationError ? error.message : undefined;
    console.error(known ?? (error instanceof Error ? error.stack : 'The doctor failed'));
    process.exit(NOT_GOOD);
  },
);
