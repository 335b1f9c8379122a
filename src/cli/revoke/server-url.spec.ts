import fc from 'fast-check';
import { revocationsAt } from './server-url.js';

it.each([
  ['https://gate.example.com', 'https://gate.example.com/admin/revocations'],
  ['https://gate.example.com:8443/', 'https://gate.example.com:8443/admin/revocations'],
  ['https://tools.example.com/gate/', 'https://tools.example.com/gate/admin/revocations'],
  ['http://localhost:3200', 'http://localhost:3200/admin/revocations'],
  ['http://127.0.0.2:3200', 'http://127.0.0.2:3200/admin/revocations'],
  [' http://[::1]:3200\n', 'http://[::1]:3200/admin/revocations'],
])('takes %j', (text, address) => {
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
  ['', 'is no URL.'],
  ['http://', 'is no URL.'],
  ['https://[::1', 'is no URL.'],
  ['http://localhost:99999', 'is no URL.'],
  ['localhost:port', 'is no URL.'],
  ['ftp://gate.example.com', 'neither http: nor https:'],
  ['file:///etc/passwd', 'neither http: nor https:'],
  ['https://root:hunter2@gate.example.com', 'a name or password has no place in it'],
  ['https://gate.example.com/mcp', 'without the path of the endpoint: https://gate.example.com.'],
  ['https://gate.example.com/gate/mcp', 'without the path of the endpoint: https://gate.example.com/gate.'],
  ['https://gate.example.com/?x=1', 'without the path of the endpoint'],
  ['http://gate.example.com', '--server must be https'],
  ['http://127.0.0.1.evil.example', '--server must be https'],
  ['http://localhost.evil.example', '--server must be https'],
])('refuses %j', (text, says) => {
  expect(() => revocationsAt(text)).toThrow(says);
});

it('says a sentence about every other text', () => {
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
