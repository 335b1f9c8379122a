/** Examines the configuration and its issuers. */
import { fetchJson } from '../../http/outbound/bounded-fetch.js';
import type { ServerSettings } from '../../config/settings.js';
import { isJsonObject, type JsonObject } from '../../lib/json.js';
import { askIssuer } from './ask-issuer.js';
import type { Deployment } from './deployment.js';
import { issuerLines } from './issuer-lines.js';
import { isGood, verdictWords, type Report, type Section } from './report.js';
import { serverLines } from './server-lines.js';

/** A running server answers quickly; a missing one must not delay the report. */
const SERVER_TIMEOUT_MS = 2_000;

/** @param before sections before those of server and issuers. */
export async function examineConfiguration(
  deployment: Deployment,
  before: readonly Section[],
): Promise<Report> {
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
      refusesDemoIssuer: auth.refusesDemoIssuer,
    };
    return { title: `Issuer ${issuer.issuer}`, lines: issuerLines(subject) };
  });
  const explained = !isGood(issuerSections);
  const issuer = answers[0]?.document;
  const lines = serverLines({ settings, ready, explained, running, issuer });
  const sections: Section[] = [...before, { title: 'This server', lines }, ...issuerSections];
  return { good: isGood(sections), verdict: verdictWords(sections), reason: null, sections };
}

/** Metadata of a running server with this configuration. */
async function askServer({ publicUrl, mcpPath }: ServerSettings): Promise<JsonObject | undefined> {
  const url = `${publicUrl}/.well-known/oauth-protected-resource${mcpPath}`;
  const document = await fetchJson(url, AbortSignal.timeout(SERVER_TIMEOUT_MS)).catch(() => undefined);
  return isJsonObject(document) ? document : undefined;
}
