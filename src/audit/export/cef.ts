/** Converts a record to the Common Event Format, version 0 (ArcSight CEF, revision 27). */
import type { StoredRecord } from '../record.js';
import { PRODUCT_NAME, VERSION } from '../../lib/version.js';
import { severityOf } from './severity.js';

/** Scale of 0 to 10. */
const SEVERITY = { informational: 2, low: 4, medium: 6, high: 8 } as const;

export function toCef(record: StoredRecord): string {
  const {
    event,
    decision,
    reason,
    request,
    principal,
    tool,
    outcome,
    change,
    delegation,
    required,
    missing,
  } = record;
  const what = tool ?? request?.method ?? change?.what ?? event;
  const header = [
    'CEF:0',
    PRODUCT_NAME,
    PRODUCT_NAME,
    VERSION,
    reason ?? outcome?.status ?? change?.what ?? event,
    `${event} ${what}`,
    String(SEVERITY[severityOf(record)]),
  ];
  const extension: [string, string | number | null | undefined][] = [
    ['rt', Date.parse(record.time)],
    ['externalId', record.id],
    ['deviceExternalId', record.instance],
    ['act', decision ?? outcome?.status],
    ['outcome', outcome?.status],
    ['reason', reason],
    ['src', request?.ip],
    ['suser', record.on_behalf_of ?? principal?.sub],
    ['sntdom', principal?.iss],
    ['sourceServiceName', principal?.client_id],
    ['requestClientApplication', request?.client],
    ['requestMethod', request?.method],
    ['destinationServiceName', tool],
    ['cs1Label', 'delegation'],
    ['cs1', delegation.map(({ sub, type }) => `${sub} (${type})`).join(' > ')],
    ['cs2Label', 'rule'],
    ['cs2', record.rule],
    ['cs3Label', 'required'],
    ['cs3', [...required.scopes, ...required.roles].join(' ')],
    ['cs4Label', 'missing'],
    ['cs4', [...missing.scopes, ...missing.roles].join(' ')],
    ['cs5Label', 'decision_id'],
    ['cs5', record.decision_id ?? record.id],
    ['cs6Label', 'hash'],
    ['cs6', record.hash],
    ['cn1Label', 'seq'],
    ['cn1', record.seq],
    ['cn2Label', 'duration_ms'],
    ['cn2', outcome?.duration_ms],
  ];
  return `${header.map(escapedHeader).join('|')}|${pairs(extension)}`;
}

/** Omits a label together with its absent value. */
function pairs(all: readonly [string, string | number | null | undefined][]): string {
  const given = new Map(all.filter(([, value]) => value !== undefined && value !== null && value !== ''));
  return [...given]
    .filter(([name]) => !name.endsWith('Label') || given.has(name.slice(0, -'Label'.length)))
    .map(([name, value]) => `${name}=${escapedValue(String(value))}`)
    .join(' ');
}

function escapedHeader(text: string): string {
  return oneLine(text).replace(/[\\|]/g, '\\$&');
}

function escapedValue(text: string): string {
  return oneLine(text.replace(/[\\=]/g, '\\$&'));
}

/** Replaces control characters, which could end the line and forge another. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
}
