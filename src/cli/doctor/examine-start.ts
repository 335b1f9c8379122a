/** Checks that the server would start, with its own services, without starting them. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { ownRegistry } from '../registered-targets.js';
import { archivesOf } from '../../audit/audit-log-files.js';
import { loadSigningKey } from '../../audit/signing-key.js';
import { targetLabel } from '../../core/decision.js';
import { keyDamage } from '../../lib/key-file.js';
import { formatList, escapeControlChars } from '../../lib/format-text.js';
import { ConfigurationError } from '../../config/load-settings.js';
import type { Settings, UpstreamsSettings } from '../../config/settings.js';
import { readTlsFiles } from '../../config/tls-files.js';
import { loadPolicy } from '../../policy/load-policy.js';
import { PolicyError, readOperatorFiles } from '../../policy/operator-files.js';
import { DeclarationError, type ToolRegistry } from '../../tools/tool-registry.js';
import { acceptedTools } from '../../upstreams/accepted-tools.js';
import { loadIdentityKey } from '../../upstreams/identity-key.js';
import { isGood, verdictWords, type Line, type Report, type Section } from './report.js';

/** Report on the start, without contacting an issuer. */
export async function examineStart(settings: Settings): Promise<Report> {
  const sections: Section[] = [await startSection(settings)];
  const good = isGood(sections);
  const words = verdictWords(sections);
  const verdict = good ? `the server would start; ${words}` : `the server does not start: ${words}`;
  return { good, verdict, reason: null, sections };
}

/** In the order of the server; a fault hides only dependent checks. */
export async function startSection(settings: Settings): Promise<Section> {
  const lines = [
    fine('settings', 'every variable, and every file that one names, can be read'),
    ...tlsLines(settings),
    ...(await keyLines(settings)),
    ...(await targetLines(settings)),
    {
      state: 'not checked',
      name: 'the rest',
      message: 'only the server opens the port, the database and the audit log',
    } as const,
  ];
  return { title: 'The start', lines };
}

function tlsLines({ server: { tls } }: Settings): Line[] {
  if (!tls) return [];
  try {
    readTlsFiles(tls);
    return [fine('TLS', 'the certificate matches its key')];
  } catch (error) {
    return faultsOf(error).map((message) => broken('TLS', message));
  }
}

/** Does not create or replace keys. */
async function keyLines({ audit, upstreams }: Settings): Promise<Line[]> {
  const signs = upstreams.list.some((one) => one.transport === 'http' && one.identityHeader !== undefined);
  const archives = await archivesOf(audit.file);
  const hasSigned = archives.length > 0 || (existsSync(audit.file) && statSync(audit.file).size > 0);
  const onlyRead = { mayMake: false, onReplaced: () => undefined };
  const lines = [
    ...(await keyLine('audit key', audit.keyFile, audit.makesKey && !hasSigned, audit.makesKey, () =>
      loadSigningKey({ path: audit.keyFile, hasSigned, ...onlyRead }),
    )),
    ...(signs
      ? await keyLine('identity key', upstreams.keyFile, upstreams.makesKey, upstreams.makesKey, () =>
          loadIdentityKey({ path: upstreams.keyFile, ...onlyRead }),
        )
      : []),
  ];
  // With AUDIT_ON_FAILURE=allow the server starts without its audit key.
  const relaxed = lines.map((line): Line =>
    line.name === 'audit key' && audit.onFailure === 'allow' ? { ...line, state: 'warn' } : line,
  );
  return relaxed.length > 0
    ? relaxed
    : [fine('signing keys', 'existing keys can sign; the start creates missing keys')];
}

/** @param mayReplace true if the server replaces a damaged file. */
async function keyLine(
  name: string,
  path: string,
  mayReplace: boolean,
  mayMake: boolean,
  load: () => Promise<unknown>,
): Promise<Line[]> {
  if (mayMake && !existsSync(path)) return [];
  const fault = await load().then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (fault === undefined) return [];
  if (!mayReplace || !isDamaged(path)) return [broken(name, fault)];
  return [{ state: 'warn', name, message: `${path} is damaged: the start replaces it` }];
}

function isDamaged(path: string): boolean {
  try {
    return keyDamage(readFileSync(path, 'utf8')) !== undefined;
  } catch {
    return false;
  }
}

async function targetLines(settings: Settings): Promise<Line[]> {
  let registry: ToolRegistry;
  try {
    registry = await ownRegistry(settings);
  } catch (error) {
    // Upstreams and policy need the tool names.
    return faultsOf(error).map((message) => broken('names', message));
  }
  const { allowList } = settings.policy;
  const opened = allowList === '*' ? 'all of them' : formatList([...allowList]);
  const own = registry.all().map(targetLabel);
  const lines = [fine('names', `${own.length} tools, resources and prompts of this server; open: ${opened}`)];
  const upstreams = upstreamLines(settings.upstreams, registry);
  lines.push(...upstreams);
  // The policy also covers upstream tools.
  if (upstreams.some(({ state }) => state === 'fail')) return lines;
  return [...lines, ...policyLines(settings, registry)];
}

function upstreamLines(settings: UpstreamsSettings, registry: ToolRegistry): Line[] {
  if (settings.list.length === 0) return [];
  const name = 'upstreams';
  try {
    const { definitions, notices } = acceptedTools(
      settings,
      registry.localTools.map((one) => one.name),
    );
    registry.mount(definitions);
    return [
      fine(name, `${settings.list.length} upstreams, ${definitions.length} accepted tools`),
      ...notices.map((message): Line => ({
        state: 'warn',
        name,
        message: escapeControlChars(message),
      })),
    ];
  } catch (error) {
    return faultsOf(error).map((message) => broken(name, message));
  }
}

function policyLines({ policy }: Settings, registry: ToolRegistry): Line[] {
  const name = 'policy';
  try {
    const files = policy.directory === undefined ? undefined : readOperatorFiles(policy.directory);
    const loaded = loadPolicy(policy, registry.all(), files);
    loaded.dispose();
    const message = files
      ? `the files of POLICY_DIR are valid for the tools`
      : 'no POLICY_DIR: only the access rules of the code apply';
    return [
      fine(name, message),
      ...loaded.notices.map((notice): Line => ({ state: 'warn', name, message: notice })),
    ];
  } catch (error) {
    return faultsOf(error).map((message) => broken(name, message));
  }
}

/** Faults in the words of the server; any other error prevents the start too. */
function faultsOf(error: unknown): readonly string[] {
  if (
    error instanceof ConfigurationError ||
    error instanceof DeclarationError ||
    error instanceof PolicyError
  ) {
    return error.faults;
  }
  return [(error as Error).message];
}

function fine(name: string, message: string): Line {
  return { state: 'ok', name, message };
}

function broken(name: string, message: string): Line {
  return { state: 'fail', name, message };
}
