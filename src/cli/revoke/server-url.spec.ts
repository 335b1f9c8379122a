import fc from 'fast-check';
import { revocationsAt } from './server-url.js';

it.each([
  ['https://gate.example.com', 'https://gate.example.com/admin/revocations'],
  ['https://gate.example.com:8443/', 'https://gate.example.com:8443/admin/revocations'],
  ['https://tools.example.com/gate/', 'https://tools.example.com/gate/admin/revocations'],
  ['http://localhost:3200', 'http://localhost:3200/admin/revocations'],
  ['http://127.0.0.2:3200', 'http://127.0.0.2:3200/admin/revocations'],
  [' http://[::1]:3200\n', 'http://[::1]:3200/admin/revocations'],
])('accepts %j', (text, address) => {
  expect(revocationsAt(text).href).toBe(address);
});

it.each([
  ['localhost:3200', 'has no scheme. Write http://localhost:3200.'],
  ['127.0.0.1:3200', 'has no scheme. Write http://127.0.0.1:3200.'],
  ['//localhost:3200', 'has no scheme. Write http://localhost:3200.'],
  ['gate.example.com', 'has no scheme. Write https://gate.example.com.'],
  ['gate.example.com:8443/mcp', 'has no scheme. Write https://gate.example.com:8443.'],
  ['root:hunter2@gate.example.com', 'has no scheme. Write https://gate.example.com.'],
  ['3200', 'has no scheme.'],
  ['', 'is not a URL.'],
  ['http://', 'is not a URL.'],
  ['https://[::1', 'is not a URL.'],
  ['http://localhost:99999', 'is not a URL.'],
  ['localhost:port', 'is not a URL.'],
  ['ftp://gate.example.com', 'is not supported. Use https:'],
  ['file:///etc/passwd', 'is not supported. Use https:'],
  ['https://root:hunter2@gate.example.com', 'must not contain a user name or password'],
  ['https://gate.example.com/mcp', 'without the path of the endpoint: https://gate.example.com.'],
  ['https://gate.example.com/gate/mcp', 'without the path of the endpoint: https://gate.example.com/gate.'],
  ['https://gate.example.com/?x=1', 'without the path of the endpoint'],
  ['http://gate.example.com', '--server must be an https URL'],
  ['http://127.0.0.1.evil.example', '--server must be an https URL'],
  ['http://localhost.evil.example', '--server must be an https URL'],
])('rejects %j', (text, says) => {
  expect(() => revocationsAt(text)).toThrow(says);
});

it('accepts an http or https URL, or reports an error for every other text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl()), (text) => {
      try {
        expect(['http:', 'https:']).toContain(revocationsAt(text).protocol);
      } catch (error) {
        expect((error as Error).message).toMatch(/^--server[: ]/);
      }
    }),
  );
});
