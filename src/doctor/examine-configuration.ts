/** The configuration and the issuers that it names, asked as the server asks them. */
import { readFileSync } from 'node:fs';
import { fetchJson } from '../auth/bounded-fetch.js';
import type { JsonObject } from '../common/exchange.js';
import type { ServerSettings } from '../config/settings.js';
import { askIssuer } from './ask-issuer.js';
import type { Deployment } from './deployment.js';
import { issuerLines } from './issuer-lines.js';
import { isBad, isGood, type Report, type Section } from './report.js';
import { serverLines } from './server-lines.js';

/** A server that is there answers at once; for one that is not, nobody should wait. */
const SERVER_TIMEOUT_MS = 2_000;

export async function examineConfiguration(deployment: Deployment): Promise<Report> {
  const { settings, jwks, introspection, setting } = deployment;
  const { server, auth } = settings;
  const [running, ready, ...answers] = await Promise.all([
    askServer(server),
    jwks.ready(),
    ...auth.issuers.map((issuer) => askIssuer(issuer, introspection)),
  ]);
  const issuerSections = auth.issuers.map((issuer, index): Section => {
    const subject = {
      issuer,
      answers: answers[index]!,
      setting,
      resource: server.resource,
      isFirst: index === 0,
      outbound: settings.outbound,
    };
    return { title: `Issuer ${issuer.issuer}`, lines: issuerLines(subject) };
  });
  const unreadable = unreadableFiles(server);
  const explained = !isGood(issuerSections);
  const issuer = answers[0]?.document;
  const lines = serverLines({ settings, unreadable, ready, explained, running, issuer });
  const sections: Section[] = [{ title: 'This server', lines }, ...issuerSections];
  return { good: isGood(sections), verdict: verdict(sections), reason: null, sections };
}

/** Of faults that stop the boot there is nothing further to ask. */
export function faultyConfiguration(faults: readonly string[]): Report {
  const title = `The configuration has ${faults.length} fault(s), and the server does not start:`;
  const sections: Section[] = [{ title, lines: faults.map((says) => ({ state: 'broken', name: '', says })) }];
  return { good: false, verdict: verdict(sections), reason: null, sections };
}

function verdict(sections: readonly Section[]): string {
  const lines = sections.flatMap(({ lines: all = [] }) => all);
  const broken = lines.filter(isBad).length;
  const odd = lines.filter(({ state }) => state === 'look at this').length;
  const looks = odd === 0 ? '' : `; ${odd} to look at`;
  return broken === 0 ? `nothing is broken${looks}.` : `${broken} broken${looks}.`;
}

/** What a server that runs under this configuration tells its clients. */
async function askServer({ publicUrl, mcpPath }: ServerSettings): Promise<JsonObject | undefined> {
  const url = `${publicUrl}/.well-known/oauth-protected-resource${mcpPath}`;
  const document = await fetchJson(url, AbortSignal.timeout(SERVER_TIMEOUT_MS)).catch(() => undefined);
  return typeof document === 'object' && document !== null ? (document as JsonObject) : undefined;
}

/** The server reads them after its variables, and stops where it cannot. */
function unreadableFiles({ tls }: ServerSettings): string[] {
  const files = {
    TLS_CERT_FILE: tls?.certFile,
    TLS_KEY_FILE: tls?.keyFile,
    TLS_CLIENT_CA_FILE: tls?.clientCaFile,
  };
  return Object.entries(files).flatMap(([variable, file]) => {
    try {
      if (file !== undefined) readFileSync(file);
      return [];
    } catch (error) {
      return [`${variable}: the file cannot be read (${(error as NodeJS.ErrnoException).code})`];
    }
  });
}
