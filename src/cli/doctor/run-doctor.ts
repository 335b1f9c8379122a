/** `mcp-gate doctor`: a report on the configuration or on a token. */
import { ConfigurationError, type Environment } from '../../config/load-settings.js';
import { readStdin } from '../read-stdin.js';
import { EXIT_FAILED, EXIT_OK, type CommandContext } from '../run-command.js';
import { UsageError } from '../usage.js';
import type { DoctorRequest } from './command-line.js';
import { examine, examineTheStart } from './examine.js';
import { readPasted, type Pasted } from './pasted.js';
import { renderJson, renderText } from './render.js';
import { faultyConfiguration, type Report } from './report.js';

/** Columns without a terminal, and the maximum. */
const WIDTH = 100;
const WIDEST = 120;

/** A terminal limits a line to 4,095 characters. */
const PROMPT = 'Paste the token and press Ctrl-D; use a file for a long token.';

export async function runDoctor(request: DoctorRequest, context: CommandContext): Promise<number> {
  let pasted: Pasted | undefined;
  if (request.kind === 'token') {
    pasted = readPasted(request.token ?? (await readStdin(PROMPT)));
    if (pasted.token === '') throw new UsageError('stdin contains no token.');
  }
  context.progress(request.kind === 'start' ? 'Checking the configuration' : 'Asking the issuers');
  const report = await reportOn(request.kind === 'start', pasted, context.environment);
  const { isTTY, columns } = process.stdout;
  const match = { colour: isTTY, width: isTTY ? Math.min(columns, WIDEST) : WIDTH };
  await context.write(request.json ? renderJson(report) : renderText(report, match));
  return report.good ? EXIT_OK : EXIT_FAILED;
}

/** Faults of `.env` prevent the start, like those of variables. */
async function reportOn(
  isAboutStart: boolean,
  pasted: Pasted | undefined,
  environment: () => Environment,
): Promise<Report> {
  let env: Environment;
  try {
    env = environment();
  } catch (error) {
    if (error instanceof ConfigurationError) return faultyConfiguration(error.faults);
    throw error;
  }
  return isAboutStart ? examineTheStart(env) : examine(env, pasted);
}
