/** `mcp-gate audit`: verifies, searches and summarizes the audit log. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { pseudonym } from '../../audit/pseudonyms.js';
import type { StoredRecord } from '../../audit/record.js';
import { auditFileOf, auditKeyFileOf } from '../../config/load-settings.js';
import { formatList, onOneLine, quote } from '../../lib/format-text.js';
import { EXIT_FAILED, EXIT_OK, type CommandContext } from '../run-command.js';
import { UsageError } from '../usage.js';
import type { AuditRequest, PseudonymOf } from './command-line.js';
import { drawTree } from './delegation-tree.js';
import { find } from './find.js';
import { follow } from './follow.js';
import { inOrder, NewestRecord, newest, type Found } from './newest-record.js';
import { lookUp } from './on-record.js';
import { renderRecord, renderSummary, renderVerdict } from './render.js';
import { reportPage } from './report-page.js';
import { selects, type Selection } from './selection.js';
import { chainsIn, SourceError, type ChainFiles } from './sources.js';
import { Summarizer } from './summary.js';
import type { Trust } from './verdict.js';
import { verifyChain } from './verify.js';

/** Maximum number of records shown from files before the followed one. */
const MAX_BEFORE = 100_000;

type Request<K extends AuditRequest['kind']> = Extract<AuditRequest, { kind: K }>;

/** @throws SourceError for an unreadable file, or one without audit records. */
export async function runAudit(request: AuditRequest, context: CommandContext): Promise<number> {
  context.progress('Reading the audit log');
  switch (request.kind) {
    case 'verify':
      return verify(request, context);
    case 'query':
      return query(request, context);
    case 'chain':
      return chain(request, context);
    case 'report':
      return report(request, context);
  }
}

async function verify(
  { paths, keys, expected, json }: Request<'verify'>,
  context: CommandContext,
): Promise<number> {
  const chains = await chainsOf(paths, context);
  if (expected && chains.length > 1)
    throw new UsageError('--expect refers to one chain: name the files of one chain.');
  const own = paths.length === 0 && keys.length === 0 ? await ownKey(context) : undefined;
  const named = await Promise.all(keys.map(readKey));
  const trust: Trust = { keys: own ? [own] : named.length > 0 ? named : undefined, expected };
  let isGood = true;
  for (const { files } of chains) {
    const verdict = await verifyChain(files, trust);
    isGood &&= verdict.fault === null;
    const by = own
      ? '\n  (checked with the key in the key file of this server; use --key with a separately stored key for a stronger check)'
      : trust.keys
        ? ''
        : '\n  (checked with the keys that the audit log itself names; use --key to verify their owner)';
    await context.write(json ? `${JSON.stringify(verdict)}\n` : `${renderVerdict(verdict)}${by}\n`);
  }
  return isGood ? EXIT_OK : EXIT_FAILED;
}

async function query(command: Request<'query'>, context: CommandContext): Promise<number> {
  const selection = await byPseudonym(command.selection, command.pseudonym);
  if (command.follow) return followOne(command, selection, context);
  const { limit, json } = command;
  const chains = await chainsOf(command.paths, context);
  let count = 0;
  const show = async ({ record, text }: Found) => {
    count += 1;
    await context.write(`${json ? text : renderRecord(record)}\n`);
  };
  if (limit === Number.POSITIVE_INFINITY) {
    for await (const found of inOrder(chains, selection)) await show(found);
  } else {
    const { records, hasMore } = await newest(chains, selection, limit);
    for (const found of records) await show(found);
    if (hasMore) console.error(`Only the newest ${limit} records are shown; --limit 0 shows all.`);
  }
  if (count > 0) return EXIT_OK;
  console.error(['No record matches.', ...(await unknownNames(chains, command))].join(' '));
  return EXIT_FAILED;
}

/** Ends on an interrupt, or when the reader of the output closes. */
async function followOne(
  { paths, limit, json }: Request<'query'>,
  selection: Selection,
  context: CommandContext,
): Promise<number> {
  const [path] = paths;
  const file = path ?? auditFileOf(context.environment());
  const [older] = await chainsOf(path === undefined ? [] : [path], context);
  const archives = older?.files.filter((one) => one !== file) ?? [];
  if (path !== undefined && !older?.files.includes(path))
    throw new UsageError('--follow reads one file: name one file.');
  const line = ({ record, text }: Found) => `${json ? text : renderRecord(record)}\n`;
  const first = new NewestRecord<Found>(limit);
  let hasBegun = false;
  const onEnd = async () => {
    const missing = limit - first.items.length;
    const before =
      missing > 0 && older && archives.length > 0
        ? await newest([{ ...older, files: archives }], selection, Math.min(missing, MAX_BEFORE))
        : { records: [] };
    for (const found of [...before.records, ...first.items]) await context.write(line(found));
    hasBegun = true;
  };
  for await (const found of follow(file, { warn: (text) => console.error(text), onEnd })) {
    if (!selects(selection, found.record)) continue;
    if (hasBegun) await context.write(line(found));
    else first.add(found);
  }
  return EXIT_OK;
}

/** Reports each name that was never recorded, which may be mistyped. */
async function unknownNames(
  chains: readonly ChainFiles[],
  { selection: asked, pseudonym: of }: Request<'query' | 'report'>,
): Promise<string[]> {
  const sentences: string[] = [];
  const selection = await byPseudonym(asked, of);
  for (const kind of ['person', 'agent', 'client', 'tool'] as const) {
    const [name, shown] = [selection[kind], asked[kind]];
    if (name === undefined || shown === undefined) continue;
    const { issuers, near } = await lookUp(chains, kind, name, { suggests: name === shown });
    if (issuers.size > 0) continue;
    const others = near.length > 0 ? ` Similar names in the audit log: ${formatList(near)}.` : '';
    sentences.push(`The ${kind} ${quote(shown)} is not in the audit log.${others}`);
  }
  return sentences;
}

async function chain({ paths, id, json }: Request<'chain'>, context: CommandContext): Promise<number> {
  const records: StoredRecord[] = [];
  for (const { files } of await chainsOf(paths, context)) {
    for await (const { record } of find(files, { id })) records.push(record);
  }
  // The id of an outcome selects its call.
  const decisionId = records.length === 1 ? records[0]?.decision_id : undefined;
  if (decisionId) return chain({ kind: 'chain', paths, id: decisionId, json }, context);
  if (records.length === 0) {
    console.error(`No record has the id ${onOneLine(id)}.`);
    return EXIT_FAILED;
  }
  await context.write(json ? `${JSON.stringify(records)}\n` : `${drawTree(records)}\n`);
  return EXIT_OK;
}

async function report(command: Request<'report'>, context: CommandContext): Promise<number> {
  const { format } = command;
  const selection = await byPseudonym(command.selection, command.pseudonym);
  const summarizer = new Summarizer();
  const chains = await chainsOf(command.paths, context);
  for (const { files } of chains) {
    for await (const { record } of find(files, selection)) summarizer.add(record);
  }
  const summary = summarizer.summary();
  if (summary.records === 0) {
    console.error(['No record matches.', ...(await unknownNames(chains, command))].join(' '));
  }
  if (format === 'json') await context.write(`${JSON.stringify(summary, null, 2)}\n`);
  else if (format === 'html')
    await context.write(reportPage(summary, `Audit report since ${selection.since ?? 'the beginning'}`));
  else await context.write(`${renderSummary(summary)}\n`);
  return EXIT_OK;
}

function chainsOf(paths: readonly string[], context: CommandContext) {
  return chainsIn(paths, auditFileOf(context.environment()));
}

/** Public key of this server; undefined on another machine. */
async function ownKey({ environment }: CommandContext): Promise<KeyObject | undefined> {
  const pem = await readFile(auditKeyFileOf(environment()), 'utf8').catch(() => undefined);
  return pem === undefined ? undefined : createPublicKey(pem);
}

/** @throws SourceError if the key is unreadable. */
async function byPseudonym(selection: Selection, of: PseudonymOf | undefined): Promise<Selection> {
  if (!of || selection.person === undefined) return selection;
  const key = await readFile(of.keyFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new SourceError(`${of.keyFile} cannot be read (${error.code}).`);
  });
  return { ...selection, person: pseudonym(of.issuer, selection.person, key.trim()) };
}

/** @throws SourceError if the file is not a public key. */
async function readKey(file: string): Promise<KeyObject> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new SourceError(`${file} cannot be read (${error.code}).`);
  });
  try {
    const key = text.trimStart().startsWith('{')
      ? createPublicKey({
          key: jwkIn(JSON.parse(text) as JsonWebKey & { keys?: JsonWebKey[] }),
          format: 'jwk',
        })
      : createPublicKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Reported below, without the content of the file.
  }
  throw new SourceError(`${file} is not an Ed25519 key in PEM, JWK or JWKS format.`);
}

function jwkIn(json: JsonWebKey & { keys?: JsonWebKey[] }): JsonWebKey {
  return json.keys?.[0] ?? json;
}
