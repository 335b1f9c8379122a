/** `mcp-gate posture`: controls of the configuration. */
import { readFileSync } from 'node:fs';
import { loadSettings } from '../../config/load-settings.js';
import { EXIT_FAILED, EXIT_OK, type CommandContext } from '../run-command.js';
import type { PostureRequest } from './command-line.js';
import { controlsOf, levelOf, missingFor } from './controls.js';
import { renderPosture } from './render.js';

/** @throws ConfigurationError */
export async function runPosture(
  { require: required, json }: PostureRequest,
  { environment, write }: CommandContext,
): Promise<number> {
  const settings = loadSettings(environment(), (path) => readFileSync(path, 'utf8'));
  const controls = controlsOf(settings);
  const level = levelOf(controls) ?? null;
  await write(`${json ? JSON.stringify({ level, controls }, null, 2) : renderPosture(controls)}\n`);
  return required && missingFor(controls, required).length > 0 ? EXIT_FAILED : EXIT_OK;
}
