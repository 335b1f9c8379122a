import type { UpstreamSettings } from '../../config/settings.js';
import { explainFailure, missingIn } from './explain-failure.js';
import { UpstreamError } from './upstream-error.js';

const HTTP = { transport: 'http', url: 'http://127.0.0.1:3001/mcp' } as UpstreamSettings;
const SSE = { transport: 'http', url: 'http://127.0.0.1:3001/sse' } as UpstreamSettings;
const STDIO = { transport: 'stdio', command: ['uvx', 'server'] } as unknown as UpstreamSettings;
const NO_PROCESS = { how: undefined, missing: undefined };
const failed = (more: object, message = 'fetch failed') =>
  new UpstreamError('unreachable', 'it cannot be reached', {
    cause: new TypeError(message, { cause: Object.assign(new Error('x'), more) }),
  });

it.each<[string, object, UpstreamSettings, string]>([
  [
    'a closed port',
    { code: 'ECONNREFUSED' },
    HTTP,
    'no server listens at 127.0.0.1:3001 (ECONNREFUSED): start it',
  ],
  ['closed ports of several addresses', { errors: [{ code: 'ECONNREFUSED' }] }, HTTP, 'no server listens'],
  ['an unknown host', { code: 'ENOTFOUND' }, HTTP, 'cannot be resolved'],
  ['a certificate', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }, HTTP, 'NODE_EXTRA_CA_CERTS'],
  ['a port without TLS', { code: 'ERR_SSL_WRONG_VERSION_NUMBER' }, HTTP, 'does not speak TLS'],
  ['a silent host', { code: 'UND_ERR_CONNECT_TIMEOUT' }, HTTP, 'firewall'],
  ['a broken connection', { code: 'UND_ERR_SOCKET' }, HTTP, 'closed the connection'],
  ['405', { status: 405 }, HTTP, 'Streamable HTTP'],
  ['404 of an SSE endpoint', { status: 404 }, SSE, 'Streamable HTTP'],
  ['404', { status: 404 }, HTTP, 'correct the path of url'],
  [
    'a program that is not there',
    { code: 'ENOENT' },
    STDIO,
    'the program uvx or the working_directory does not exist',
  ],
  ['a program without permission', { code: 'EACCES' }, STDIO, 'cannot be executed'],
])('explains %s', (_what, more, settings, expected) => {
  expect(explainFailure(failed(more), settings, NO_PROCESS)).toContain(expected);
});

it('explains an HTML response without repeating it', () => {
  const page = failed(
    { status: 502 },
    'Error POSTing to endpoint: <!DOCTYPE html><html><script>evil()</script>',
  );
  expect(explainFailure(page, HTTP, NO_PROCESS)).toMatch(
    /^it answered 502 with a web page: correct the path of url/,
  );
  expect(
    explainFailure(failed({}, 'Unexpected content type: text/html; charset=utf-8'), HTTP, NO_PROCESS),
  ).toMatch(/web page/);
});

it('explains the end of a process by the missing module or its exit', () => {
  const end = { how: 'exited with code 1', missing: "Cannot find module '/opt/x.js'" };
  expect(explainFailure(failed({ code: 'EPIPE' }), STDIO, end)).toContain(
    "a part of the program is missing (Cannot find module '/opt/x.js')",
  );
  expect(explainFailure(failed({ code: 'EPIPE' }), STDIO, { ...end, missing: undefined })).toContain(
    'the program exited with code 1',
  );
  expect(explainFailure(failed({}), STDIO, NO_PROCESS)).toBeUndefined();
  expect(explainFailure(failed({}), HTTP, NO_PROCESS)).toBeUndefined();
});

it.each([
  ["Error: Cannot find module '/opt/x.js'", "Cannot find module '/opt/x.js'"],
  [
    "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'zod' imported from /x",
    "Cannot find package 'zod' imported from /x",
  ],
  ["ModuleNotFoundError: No module named 'mcp'", "ModuleNotFoundError: No module named 'mcp'"],
  ['/usr/bin/python3: No module named server', 'No module named server'],
  ['sh: 1: uvx: not found', 'sh: 1: uvx: not found'],
  ['bash: uvx: command not found', 'bash: uvx: command not found'],
  ['Server started', undefined],
])('finds the missing part in %s', (line, expected) => {
  expect(missingIn(line)).toBe(expected);
});
