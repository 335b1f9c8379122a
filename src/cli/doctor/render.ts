/** Prints a report as text: aligned, wrapped, and coloured on a terminal. Pure. */
import type { Line, Report, Section, State } from './report.js';

export interface Look {
  readonly colour: boolean;
  /** Columns. */
  readonly width: number;
}

const COLOURS: Readonly<Record<State, number>> = {
  ok: 32,
  warn: 33,
  fail: 31,
  'not checked': 90,
};
const STATE_WIDTH = Math.max(...Object.keys(COLOURS).map((state) => state.length));
/** Narrower columns would break every word. */
const NARROWEST = 40;

export function renderText({ sections, verdict, good }: Report, match: Look): string {
  const parts = sections.map((section) => renderSection(section, match));
  const mark = paint(good ? 'ok' : 'fail', 'Verdict:', match);
  return `${[...parts, wrapped(`${mark} `, 'Verdict: '.length, verdict, match.width)].join('\n\n')}\n`;
}

/** One JSON object with the same texts. */
export function renderJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

function renderSection({ title, facts = [], lines = [] }: Section, match: Look): string {
  const names = Math.max(0, ...[...facts, ...lines].map(({ name }) => name.length));
  return [
    title,
    ...facts.map(({ name, value }) => wrapped(`  ${name.padEnd(names)}  `, names + 4, value, match.width)),
    ...lines.flatMap((line) => renderLine(line, names, match)),
  ].join('\n');
}

function renderLine({ state, name, reason, message, advice }: Line, names: number, match: Look): string[] {
  const indent = 2 + STATE_WIDTH + 2 + names + 2;
  const start = `  ${paint(state, state.padEnd(STATE_WIDTH), match)}  ${name.padEnd(names)}  `;
  const texts = [
    reason === undefined ? message : `${reason}: ${message}`,
    advice?.message ?? '',
    advice?.providerFix === undefined ? '' : `at the provider: ${advice.providerFix}`,
    advice?.serverFix === undefined ? '' : `at the gateway: ${advice.serverFix}`,
  ].filter((text) => text !== '');
  return texts.map((text, at) => wrapped(at === 0 ? start : ' '.repeat(indent), indent, text, match.width));
}

/** @param indent visible width of `start`; colours have no width. */
function wrapped(start: string, indent: number, text: string, width: number): string {
  const room = Math.max(width - indent, NARROWEST);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return start + [...lines, line].join(`\n${' '.repeat(indent)}`);
}

function paint(state: State, text: string, { colour }: Look): string {
  return colour ? `\u001b[${COLOURS[state]}m${text}\u001b[0m` : text;
}
