/** `npm run audit`: questions to the audit log in, answers and an exit code out. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { pseudonym } from '../../audit/pseudonyms.js';
import { lostOptions, usageError, WRONG_USAGE } from '../usage.js';
import { npmVariables, readEnvironment } from '../../config/environment.js';
import { auditFileOf, auditKeyFileOf, ConfigurationError } from '../../config/load-settings.js';
import { HELP, readCommandLine, USAGE, type Command, type PseudonymOf } from './command-line.js';
import { formatList, quote } from '../../lib/format-text.js';
import { find } from './find.js';
import { follow } from './follow.js';
import { inOrder, NewestRecord, newest, type Found } from './newest-record.js';
import { lookUp } from './on-record.js';
import { renderRecord, renderSummary, renderVerdict } from './render.js';
import { reportPage } from './report-page.js';
import type { StoredRecord } from '../../audit/record.js';
import { selects, type Selection } from './selection.js';
import { chainsIn, SourceError, type ChainFiles } from './sources.js';
import { Summarizer } from './summary.js';
import { drawTree } from './delegation-tree.js';
import { verifyChain, type Trust } from './verify.js';

const EXIT_OK = 0;
const EXIT_FAILED = 1;
/** Of the files before the followed one, at most so many records are shown. */
const MAX_BEFORE = 100_000;

type Asked<K extends Command['kind']> = Extract<Command, { kind: K }>;

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const lost = lostOptions(USAGE, args, npmVariables());
  const command: Command = lost ? { kind: 'wrong', message: lost } : readCommandLine(args, new Date());
  switch (command.kind) {
    case 'help':
      await write(`${HELP}\n`);
      return EXIT_OK;
    case 'wrong':
      console.error(usageError(USAGE, command.message));
      return WRONG_USAGE;
    case 'verify':
      return verify(command);
    case 'query':
      return query(command);
    case 'chain':
      return chain(command);
    case 'report':
      return report(command);
  }
}

async function verify({ paths, keys, expected, json }: Asked<'verify'>): Promise<number> {
  const chains = await chainsOf(paths);
  if (expected && chains.length > 1)
    throw new SourceError('--expect is of one chain; name the files of one.');
  const own = paths.length === 0 && keys.length === 0 ? await ownKey() : undefined;
  const named = await Promise.all(keys.map(readKey));
  const trust: Trust = { keys: own ? [own] : named.length > 0 ? named : undefined, expected };
  let isGood = true;
  for (const { files } of chains) {
    const verdict = await verifyChain(files, trust);
    isGood &&= verdict.fault === null;
    const by = own
      ? '\n  (by the key of this server: who can write to it can sign; --key is one that was kept elsewhere)'
      : trust.keys
        ? ''
        : '\n  (by the keys that the audit log itself names: give --key to know whose they are)';
    await write(json ? `${JSON.stringify(verdict)}\n` : `${renderVerdict(verdict)}${by}\n`);
  }
  return isGood ? EXIT_OK : EXIT_FAILED;
}

async function query(command: Asked<'query'>): Promise<number> {
  const selection = await byPseudonym(command.selection, command.pseudonym);
  if (command.follow) return followOne(command, selection);
  const { limit, json } = command;
  const chains = await chainsOf(command.paths);
  let count = 0;
  const show = async ({ record, text }: Found) => {
    count += 1;
    await write(`${json ? text : renderRecord(record)}\n`);
  };
  if (limit === Number.POSITIVE_INFINITY) {
    for await (const found of inOrder(chains, selection)) await show(found);
  } else {
    const { records, hasMore } = await newest(chains, selection, limit);
    for (const found of records) await show(found);
    if (hasMore) console.error(`Only the newest ${limit} are shown; --limit 0 shows all.`);
  }
  if (count > 0) return EXIT_OK;
  console.error(['No record matches.', ...(await unknownNames(chains, command))].join(' '));
  return EXIT_FAILED;
}

/** Ends when it is interrupted, or when the reader of its output goes. */
async function followOne({ paths, limit, json }: Asked<'query'>, selection: Selection): Promise<number> {
  const [path] = paths;
  const file = path ?? auditFileOf(readEnvironment());
  const [older] = await chainsOf(path === undefined ? [] : [path]);
  const archives = older?.files.filter((one) => one !== file) ?? [];
  if (path !== undefined && !older?.files.includes(path)) throw new SourceError('--follow is of one file.');
  const line = ({ record, text }: Found) => `${json ? text : renderRecord(record)}\n`;
  const first = new NewestRecord<Found>(limit);
  let hasBegun = false;
  const onEnd = async () => {
    const missing = limit - first.items.length;
    const before =
      missing > 0 && older && archives.length > 0
        ? await newest([{ ...older, files: archives }], selection, Math.min(missing, MAX_BEFORE))
        : { records: [] };
    for (const found of [...before.records, ...first.items]) await write(line(found));
    hasBegun = true;
  };
  for await (const found of follow(file, { warn: (text) => console.error(text), onEnd })) {
    if (!selects(selection, found.record)) continue;
    if (hasBegun) await write(line(found));
    else first.add(found);
  }
  return EXIT_OK;
}

/** A sentence for each name of the question that was never on record: a typing error finds nothing, too. */
async function unknownNames(
  chains: readonly ChainFiles[],
  { selection: asked, pseudonym: of }: Asked<'query' | 'report'>,
): Promise<string[]> {
  const sentences: string[] = [];
  const selection = await byPseudonym(asked, of);
  for (const kind of ['person', 'agent', 'client', 'tool'] as const) {
    const [name, shown] = [selection[kind], asked[kind]];
    if (name === undefined || shown === undefined) continue;
    const { issuers, near } = await lookUp(chains, kind, name, { suggests: name === shown });
    if (issuers.size > 0) continue;
    const others = near.length > 0 ? ` Similar names on record: ${formatList(near)}.` : '';
    sentences.push(`The ${kind} ${quote(shown)} was never on record.${others}`);
  }
  return sentences;
}

async function chain({ paths, id, json }: Asked<'chain'>): Promise<number> {
  const records: StoredRecord[] = [];
  for (const { files } of await chainsOf(paths)) {
    for await (const { record } of find(files, { id })) records.push(record);
  }
  // Asked by the id of its end, a call is still one call.
  const decisionId = records.length === 1 ? records[0]?.decision_id : undefined;
  if (decisionId) return chain({ kind: 'chain', paths, id: decisionId, json });
  if (records.length === 0) {
    console.error(`There is no record ${id}.`);
    return EXIT_FAILED;
  }
  await write(json ? `${JSON.stringify(records)}\n` : `${drawTree(records)}\n`);
  return EXIT_OK;
}

async function report(command: Asked<'report'>): Promise<number> {
  const { format } = command;
  const selection = await byPseudonym(command.selection, command.pseudonym);
  const summarizer = new Summarizer();
  const chains = await chainsOf(command.paths);
  for (const { files } of chains) {
    for await (const { record } of find(files, selection)) summarizer.add(record);
  }
  const summary = summarizer.summary();
  if (summary.records === 0) {
    console.error(['No record matches.', ...(await unknownNames(chains, command))].join(' '));
  }
  if (format === 'json') await write(`${JSON.stringify(summary, null, 2)}\n`);
  else if (format === 'html')
    await write(reportPage(summary, `Audit report since ${selection.since ?? 'the beginning'}`));
  else await write(`${renderSummary(summary)}\n`);
  return EXIT_OK;
}

function chainsOf(paths: readonly string[]) {
  return chainsIn(paths, auditFileOf(readEnvironment()));
}

/** The public half of the key that signs here; undefined where this is not the machine that has it. */
async function ownKey(): Promise<KeyObject | undefined> {
  const pem = await readFile(auditKeyFileOf(readEnvironment()), 'utf8').catch(() => undefined);
  return pem === undefined ? undefined : createPublicKey(pem);
}

/** @throws SourceError where the key cannot be read. */
async function byPseudonym(selection: Selection, of: PseudonymOf | undefined): Promise<Selection> {
  if (!of || selection.person === undefined) return selection;
  const key = await readFile(of.keyFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new SourceError(`${of.keyFile} cannot be read (${error.code}).`);
  });
  return { ...selection, person: pseudonym(of.issuer, selection.person, key.trim()) };
}

/** @throws SourceError where the file is no public key. */
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
    // Said below, without what the file holds.
  }
  throw new SourceError(`${file} is not an Ed25519 key in PEM or JWK.`);
}

function jwkIn(json: JsonWebKey & { keys?: JsonWebKey[] }): JsonWebKey {
  return json.keys?.[0] ?? json;
}

function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

// A reader that has seen enough (head, less) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT_OK : EXIT_FAILED);
});
main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const isForeseen = error instanceof SourceError || error instanceof ConfigurationError;
    console.error(isForeseen ? error.message : error);
    process.exit(error instanceof SourceError ? WRONG_USAGE : EXIT_FAILED);
  },
);
