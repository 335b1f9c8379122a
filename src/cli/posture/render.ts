/** Prints the posture as text. Pure. */
import { AREAS, LEVEL_NAMES, LEVELS, levelOf, missingFor, type Control, type Level } from './controls.js';

const MARKS = { on: '[x]', relaxed: '[~]', off: '[ ]' } as const;

export function renderPosture(controls: readonly Control[]): string {
  const level = levelOf(controls);
  const next = LEVELS.find((one) => missingFor(controls, one).length > 0);
  return [
    ...AREAS.flatMap((area) => [area, ...controls.filter((one) => one.area === area).map(line), '']),
    `Level reached: ${level ? named(level) : 'none'}`,
    ...(next
      ? ['', `For ${named(next)}:`, ...missingFor(controls, next).map(({ cure }) => `  - ${cure}`)]
      : []),
  ].join('\n');
}

function line({ name, state, level, against, cure }: Control): string {
  const facts = [level, ...against].join(' ');
  return `  ${MARKS[state]} ${name}  (${facts})${state === 'on' ? '' : `\n        ${state}: ${cure}`}`;
}

function named(level: Level): string {
  return `${level} (${LEVEL_NAMES[level]})`;
}
