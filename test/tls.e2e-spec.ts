/** TLS and mutual TLS in process, with certificates generated for the run. */
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { createApp } from '../src/create-app.js';
import { freePort, Gate, temporaryFolder } from './support/gate.js';
import { mountFiles } from './support/mounted.js';
import { until } from './support/remote.js';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const folder = temporaryFolder();
let server: Pair;
let client: Pair;
let stranger: Pair;

async function selfSigned(name: string): Promise<Pair> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  return { cert, key };
}

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

/** The status of GET /health/live, or the error code. */
function ask(origin: string, identity: Partial<Pair> = {}): Promise<number | string> {
  return new Promise((resolve) => {
    const asked = request(
      `${origin}/health/live`,
      { ca: server.cert, agent: false, ...identity },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.end();
  });
}

/** The subject of the server certificate. */
function shownBy(origin: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port: Number(new URL(origin).port),
      host: '127.0.0.1',
      rejectUnauthorized: false,
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerX509Certificate()?.subject ?? '');
      socket.destroy();
    });
  });
}

beforeAll(async () => {
  [server, client, stranger] = (await Promise.all(['gate', 'client', 'stranger'].map(selfSigned))) as [
    Pair,
    Pair,
    Pair,
  ];
});
afterAll(() => folder.remove());

it('serves https with a certificate and publishes an https URL', async () => {
  const gate = await Gate.start({
    env: { TLS_CERT_FILE: file('tls.crt', server.cert), TLS_KEY_FILE: file('tls.key', server.key) },
  });
  expect(gate.origin).toMatch(/^https:/);
  expect(await ask(gate.origin)).toBe(200);
  await expect(fetch(gate.origin.replace('https', 'http'))).rejects.toThrow();
  await gate.close();
});

it('serves only clients with a certificate of the configured client CA', async () => {
  const gate = await Gate.start({
    env: {
      TLS_CERT_FILE: file('tls.crt', server.cert),
      TLS_KEY_FILE: file('tls.key', server.key),
      TLS_CLIENT_CA_FILE: file('ca.crt', client.cert),
    },
  });
  expect(await ask(gate.origin, client)).toBe(200);
  expect(await ask(gate.origin)).not.toBe(200);
  expect(await ask(gate.origin, stranger)).not.toBe(200);
  await gate.close();
});

it('applies a renewed certificate without a restart, and only together with its key', async () => {
  const [cert, key] = [file('renewed.crt', server.cert), file('renewed.key', server.key)];
  const gate = await Gate.start({ database: false, env: { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } });
  const shown = () => shownBy(gate.origin);
  expect(await shown()).toBe('CN=gate');
  file('renewed.crt', stranger.cert);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(await shown()).toBe('CN=gate');
  file('renewed.key', stranger.key);
  await until(async () => (await shown()) === 'CN=stranger');
  await gate.close();
});

it('applies a renewed certificate from a swapped Secret mount', async () => {
  const mounted = join(folder.path, 'secret');
  mountFiles(mounted, { 'tls.crt': server.cert, 'tls.key': server.key });
  const env = { TLS_CERT_FILE: join(mounted, 'tls.crt'), TLS_KEY_FILE: join(mounted, 'tls.key') };
  const gate = await Gate.start({ database: false, env });
  expect(await shownBy(gate.origin)).toBe('CN=gate');
  mountFiles(mounted, { 'tls.crt': stranger.cert, 'tls.key': stranger.key });
  await until(async () => (await shownBy(gate.origin)) === 'CN=stranger');
  await gate.close();
});

it('does not start with an unreadable certificate and names the variable', async () => {
  const env = {
    PORT: String(await freePort()),
    AUTH_ISSUER: 'http://127.0.0.1:9',
    TOOL_ALLOW_LIST: '*',
    DATA_DIR: folder.path,
    TLS_CERT_FILE: join(folder.path, 'nowhere.crt'),
    TLS_KEY_FILE: join(folder.path, 'nowhere.key'),
  };
  await expect(createApp(env)).rejects.toThrow('TLS_CERT_FILE: the file cannot be read (ENOENT)');
});
