import type { ServerResponse } from 'node:http';
import { TestIssuer } from '../../../test/support/issuer.js';
import { CollectedLog, until } from '../../../test/support/remote.js';
import {
  IssuerMetadataDocument,
  metadataUrls,
  type IssuerMetadataOptions,
} from './issuer-metadata-document.js';

const UNAVAILABLE = { code: 'identity_unavailable', status: 503 };
const AN_HOUR = 3_600_000;
const OAUTH = '/.well-known/oauth-authorization-server';
const OPENID = '/.well-known/openid-configuration';

it.each([
  ['https://h', [`https://h${OAUTH}`, `https://h${OPENID}`]],
  ['https://h/', [`https://h${OAUTH}`, `https://h${OPENID}`]],
  [
    'https://h/realms/r',
    [`https://h${OAUTH}/realms/r`, `https://h${OPENID}/realms/r`, `https://h/realms/r${OPENID}`],
  ],
])('metadataUrls returns the addresses of %s', (issuer, urls) => {
  expect(metadataUrls(issuer)).toEqual(urls);
});

describe('IssuerMetadataDocument', () => {
  let server: TestIssuer;
  let log: CollectedLog;
  let metadata: IssuerMetadataDocument;

  beforeEach(async () => {
    server = await TestIssuer.start();
    log = new CollectedLog();
  });
  afterEach(async () => {
    metadata.stop();
    await server.stop();
  });

  function open(options: Partial<IssuerMetadataOptions> = {}): IssuerMetadataDocument {
    metadata = new IssuerMetadataDocument({ issuer: server.url, maxAgeMs: AN_HOUR, log, ...options });
    return metadata;
  }

  it('fetches on demand, once for concurrent callers', async () => {
    open();
    expect(metadata.peek()).toBeUndefined();
    const documents = await Promise.all(Array.from({ length: 100 }, () => metadata.get()));
    expect(new Set(documents).size).toBe(1);
    expect(documents[0]).toMatchObject({ issuer: server.url, jwks_uri: `${server.url}/jwks` });
    expect(metadata.peek()).toBe(documents[0]);
    expect([...server.hits]).toEqual([[OAUTH, 1]]);
    expect(metadata.status().state).toBe('fresh');
  });

  it('refreshes in the background after start()', async () => {
    open({ refreshMs: 100 }).start();
    await until(() => metadata.peek() !== undefined);
    server.overrides.set(OAUTH, { issuer: server.url, jwks_uri: 'https://moved.example/jwks' });
    await until(() => metadata.peek()?.jwks_uri === 'https://moved.example/jwks');
  });

  it.each([
    ['', OPENID],
    ['/realms/r', `${OAUTH}/realms/r`],
    ['/realms/r', `${OPENID}/realms/r`],
    ['/realms/r', `/realms/r${OPENID}`],
  ])('finds the document of an issuer at "%s" at %s', async (path, address) => {
    const issuer = `${server.url}${path}`;
    server.overrides.set(OAUTH, { issuer: 'https://other.example' });
    server.overrides.set(address, { issuer, found: true });
    expect(await open({ issuer }).get()).toEqual({ issuer, found: true });
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['hangs', () => undefined],
    ['sends headers and no body', (response) => response.writeHead(200).write('{')],
    [
      'answers 404 after two seconds',
      (response) => void setTimeout(() => response.writeHead(404).end(), 2_000),
    ],
  ])('falls back to the next address in time if the first one %s', async (_name, script) => {
    const issuer = `${server.url}/realms/r`;
    server.scripts.set(`${OAUTH}/realms/r`, (_request, response) => script(response));
    server.overrides.set(`/realms/r${OPENID}`, { issuer, found: true });
    const begin = performance.now();
    expect(await open({ issuer }).get()).toEqual({ issuer, found: true });
    expect(performance.now() - begin).toBeLessThan(1_900);
  });

  it('accepts the access_token_issuer of AD FS at a configured address', async () => {
    const issuer = 'http://adfs.example.com/adfs/services/trust';
    const document = { issuer: `${server.url}/adfs`, access_token_issuer: issuer };
    server.overrides.set(OPENID, document);
    expect(await open({ issuer, metadataUrl: `${server.url}${OPENID}` }).get()).toEqual(document);
    metadata.stop();
    server.overrides.set(OPENID, { ...document, access_token_issuer: `${issuer}/` });
    await expect(open({ issuer, metadataUrl: `${server.url}${OPENID}` }).get()).rejects.toMatchObject(
      UNAVAILABLE,
    );
    metadata.stop();
    server.overrides.set(OAUTH, { issuer: 'https://other.example', access_token_issuer: server.url });
    await expect(open().get()).rejects.toMatchObject(UNAVAILABLE);
  });

  it('never fetches from an http issuer', async () => {
    expect(metadataUrls('http://adfs.example.com/adfs/services/trust')).toEqual([]);
    await expect(open({ issuer: 'http://adfs.example.com/adfs' }).get()).rejects.toMatchObject(UNAVAILABLE);
    expect(log.lines).toEqual([expect.stringContaining('The metadata of')]);
  });

  it('rejects the document of another issuer, also if the correct one is slow', async () => {
    server.scripts.set(OAUTH, (_request, response) => {
      setTimeout(() => response.end(JSON.stringify({ issuer: server.url, right: true })), 1_200);
    });
    server.overrides.set(OPENID, { issuer: 'https://other.example' });
    expect(await open().get()).toEqual({ issuer: server.url, right: true });
  });

  it('fetches from the configured address only', async () => {
    server.overrides.set('/metadata', { issuer: server.url, found: true });
    open({ metadataUrl: `${server.url}/metadata` });
    expect(await metadata.get()).toEqual({ issuer: server.url, found: true });
    metadata.stop();
    open({ metadataUrl: `${server.url}/nowhere` });
    await expect(metadata.get()).rejects.toMatchObject(UNAVAILABLE);
    expect([...server.hits.keys()]).toEqual(['/metadata', '/nowhere']);
  });

  it.each<[string, (url: string) => unknown, RegExp]>([
    [
      'another issuer',
      () => ({ issuer: 'https://other.example' }),
      /is the metadata of "https:\/\/other.example"/,
    ],
    ['itself with a slash', (url) => ({ issuer: `${url}/` }), /is the metadata of "http:.*\/"/],
    ['itself in capitals', (url) => ({ issuer: url.toUpperCase() }), /is the metadata of "HTTP/],
    ['itself in a list', (url) => ({ issuer: [url] }), /is the metadata of no issuer/],
    ['nobody', () => ({}), /is the metadata of no issuer/],
  ])('rejects a document that names %s', async (_name, document, message) => {
    for (const path of [OAUTH, OPENID]) server.overrides.set(path, document(server.url));
    await expect(open().get()).rejects.toMatchObject(UNAVAILABLE);
    expect(metadata.peek()).toBeUndefined();
    expect(log.lines).toEqual([expect.stringMatching(message)]);
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['a text', 'metadata'],
    ['a list', []],
  ])('rejects a document that is %s', async (_name, document) => {
    const answer = JSON.stringify(document);
    for (const path of [OAUTH, OPENID])
      server.scripts.set(path, (_request, response) => response.end(answer));
    await expect(open().get()).rejects.toMatchObject(UNAVAILABLE);
    expect(log.lines).toEqual([expect.stringContaining('did not return a JSON object')]);
  });

  it('does not follow a redirect', async () => {
    server.overrides.set('/elsewhere', { issuer: server.url });
    for (const path of [OAUTH, OPENID]) {
      server.scripts.set(path, (_request, response) =>
        response.writeHead(302, { location: '/elsewhere' }).end(),
      );
    }
    await expect(open().get()).rejects.toMatchObject(UNAVAILABLE);
    expect([...server.hits.keys()]).toEqual([OAUTH, OPENID]);
  });

  it('stops waiting at one time limit for all addresses', async () => {
    for (const path of [OAUTH, OPENID]) server.scripts.set(path, () => undefined);
    const begin = performance.now();
    await expect(open({ timeoutMs: 300 }).get()).rejects.toMatchObject(UNAVAILABLE);
    expect(performance.now() - begin).toBeLessThan(3_000);
    expect(log.lines).toEqual([expect.stringContaining('no answer within 300 ms')]);
  });

  it('keeps the document up to its maximum age while the issuer is down', async () => {
    open({ refreshMs: 100, maxAgeMs: 1_000 }).start();
    await until(() => metadata.peek() !== undefined);
    server.failing = 503;
    await until(() => metadata.status().state === 'stale');
    expect(await metadata.get()).toMatchObject({ issuer: server.url });
    await until(() => metadata.status().state === 'none');
    await expect(metadata.get()).rejects.toMatchObject(UNAVAILABLE);
    server.failing = undefined;
    await until(() => metadata.status().state === 'fresh');
  });
});
