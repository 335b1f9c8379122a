/** Errors of the introspection client hold neither the token nor a secret of the client. */
import { inspect } from 'node:util';
import { type Behaviour, IntrospectionEndpoint } from '../../../test/support/introspection-endpoint.js';
import { makeKey } from '../../../test/support/issuer.js';
import type { IntrospectionSettings } from '../../config/settings.js';
import { IntrospectionClient, type IntrospectionOptions } from './introspection-client.js';
import {
  answering,
  clientOf,
  raw,
  refusal,
  SECRET,
  startEndpoint,
} from '../../../test/support/introspection-client.js';

let endpoint: IntrospectionEndpoint;

beforeEach(async () => {
  endpoint = await startEndpoint();
});
afterEach(() => endpoint.stop());

const introspection = (
  settings: Partial<IntrospectionSettings> = {},
  options: Partial<IntrospectionOptions> = {},
) => clientOf(endpoint, settings, options);

/** All properties of an error that a log could show. */
const shown = (error: unknown) => inspect(error, { depth: Infinity, showHidden: true });

describe('IntrospectionClient: contents of errors', () => {
  const token = 'opaque-token-that-nobody-may-see';
  const basic = Buffer.from(`gate:${new URLSearchParams({ '': SECRET }).toString().slice(1)}`);
  const sensitive = [token.slice(0, 8), SECRET, 'a+secret', basic.toString('base64'), basic.toString()];

  const echoes: [string, Behaviour][] = [
    [
      'in an HTML page',
      (response, { headers, form }) =>
        raw(`<p>${headers.authorization} ${form.get('token')}`)(response, { headers, form }),
    ],
    ['as the whole body', (response, question) => raw(`${question.form.get('token')}`)(response, question)],
    [
      'in another status',
      (response, question) => raw(JSON.stringify([...question.form]), 500)(response, question),
    ],
    [
      'in an error code',
      (response, question) =>
        raw(JSON.stringify({ error: question.form.get('token') }), 401)(response, question),
    ],
    ['in the status text', (response) => response.writeHead(500, token).end()],
    ['in a redirect', (response) => response.writeHead(302, { location: `/?${token}` }).end()],
    ['in bytes that are not HTTP', (response) => response.socket?.end(`${token} ${SECRET}\r\n\r\n`)],
    [
      'in an invalid header',
      (response) => response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${token}\0\r\n\r\n${SECRET}`),
    ],
    ['in an invalid compression', raw(`${token}`, 200, { 'content-encoding': 'br' })],
    ['in the issuer', answering({ active: true, iss: token, exp: 1, sub: SECRET })],
    ['in the token_type', answering({ active: true, token_type: token, exp: 1 })],
    ['in exp', answering({ active: true, exp: token })],
    ['not at all', () => undefined],
  ];

  it.each(echoes)('hides the token and the secret that the endpoint repeats %s', async (_, behaviour) => {
    endpoint.behaviour = behaviour;
    const error = await refusal((await introspection({}, { timeoutMs: 300 })).claims(token));
    for (const text of sensitive) expect(shown(error)).not.toContain(text);
  });

  it('hides the client assertion', async () => {
    const key = await makeKey('k');
    const strict = await IntrospectionEndpoint.start({
      client: { id: 'gate', method: 'private_key_jwt', key },
    });
    try {
      strict.behaviour = (response, { form }) => response.socket?.end(`${[...form].join(' ')}\r\n\r\n`);
      const settings = await strict.settings();
      const asked = new IntrospectionClient({ issuer: strict.issuer, settings, endpoint: async () => '' });
      const error = await refusal(asked.claims(token));
      const assertion = strict.questions[0]?.form.get('client_assertion') as string;
      expect(assertion.split('.')).toHaveLength(3);
      for (const text of [token, ...assertion.split('.')]) expect(shown(error)).not.toContain(text);
    } finally {
      await strict.stop();
    }
  });
});
