/** Evaluates the `Accept` header (RFC 9110 section 12.5.1) for the two forms of an MCP response. Pure. */

import type { AnswerForm } from '../core/request-context.js';

export interface AcceptedForms {
  /** Undefined: the client accepts neither form. */
  readonly form: AnswerForm | undefined;
  /** True if an event stream is acceptable, by name or by a wildcard. */
  readonly events: boolean;
}

interface MediaRange {
  /** Type and subtype in lower case; `*` for any. */
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
  /** True if a parameter other than `q` and `charset=utf-8` narrows the range. */
  readonly isNarrowed: boolean;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9a-z-]+";
const ELEMENT = /(?:[^",]|"(?:[^"\\]|\\.)*")+/g;
const PARAMETER = /(?:[^";]|"(?:[^"\\]|\\.)*")+/g;
const RANGE = new RegExp(`^(${TOKEN})/(${TOKEN})$`);
/** A leading zero is optional: older Java clients send `q=.2`. */
const QUALITY = /^(?:0?(?:\.\d{0,9})?|1(?:\.0{0,9})?)$/;
const EVERYTHING: AcceptedForms = { form: 'json', events: true };
/** The header of nearly all clients. */
const USUAL = 'application/json, text/event-stream';
const BOTH: AcceptedForms = { form: 'either', events: true };

/**
 * @param header the field value; several field lines joined by commas. Absent or empty: every type is acceptable.
 * A client that allows event streams by a wildcard alone gets JSON.
 */
export function acceptedForms(header: string | undefined): AcceptedForms {
  if (header === USUAL) return BOTH;
  if (header === undefined || header.trim() === '') return EVERYTHING;
  const ranges = readRanges(header);
  const json = qualityOf(ranges, 'application', 'json') > 0;
  const events = qualityOf(ranges, 'text', 'event-stream') > 0;
  if (!json) return { form: events ? 'events' : undefined, events };
  const isNamed = ranges.some((one) => one.quality > 0 && specificityOf(one, 'text', 'event-stream') > 0);
  return { form: events && isNamed ? 'either' : 'json', events };
}

/** Quality of the most specific matching range; 0 without a match. */
function qualityOf(ranges: readonly MediaRange[], type: string, subtype: string): number {
  let best = { specificity: -1, quality: 0 };
  for (const range of ranges) {
    const specificity = specificityOf(range, type, subtype);
    if (specificity < 0 || specificity < best.specificity) continue;
    const isSame = specificity === best.specificity;
    best = { specificity, quality: isSame ? Math.max(best.quality, range.quality) : range.quality };
  }
  return best.quality;
}

/** -1: no match. */
function specificityOf(range: MediaRange, type: string, subtype: string): number {
  if (range.type === '*') return range.subtype === '*' ? 0 : -1;
  if (range.type !== type) return -1;
  if (range.subtype === '*') return 1;
  // A narrowed range excludes other representations than those of this server.
  return range.subtype === subtype && !(range.isNarrowed && range.quality === 0) ? 2 : -1;
}

/** Elements that are not media ranges are ignored. */
function readRanges(header: string): MediaRange[] {
  return (header.toLowerCase().match(ELEMENT) ?? []).flatMap((element) => readRange(element) ?? []);
}

function readRange(element: string): MediaRange | undefined {
  const [name = '', ...parameters] = (element.match(PARAMETER) ?? []).map((part) => part.trim());
  // Older Java clients send `*` for any type.
  const [, type, subtype] = name === '*' ? ['', '*', '*'] : (RANGE.exec(name) ?? []);
  if (type === undefined || subtype === undefined) return undefined;
  const weight = parameters.find((parameter) => /^q\s*=/.test(parameter));
  const quality = weight === undefined ? 1 : readQuality(weight.slice(weight.indexOf('=') + 1).trim());
  if (quality === undefined) return undefined;
  const isNarrowed = parameters.some(
    (parameter) => parameter !== '' && parameter !== weight && !/^charset="?utf-?8"?$/.test(parameter),
  );
  return { type, subtype, quality, isNarrowed };
}

function readQuality(text: string): number | undefined {
  return QUALITY.test(text) && /\d/.test(text) ? Number(text) : undefined;
}
