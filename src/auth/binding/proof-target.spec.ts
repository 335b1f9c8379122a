import fc from 'fast-check';
import { sameTarget } from './proof-target.js';

it.each([
  ['https://a.example/mcp', 'https://a.example/mcp'],
  ['HTTPS://A.Example/mcp', 'https://a.example/mcp'],
  ['https://a.example:443/mcp', 'https://a.example/mcp'],
  ['https://a.example:/mcp', 'https://a.example/mcp'],
  ['http://a.example:80/mcp', 'http://a.example/mcp'],
  ['https://a.example', 'https://a.example/'],
  ['https://a.example?a=b', 'https://a.example/'],
  ['https://a.example/mcp?a=b#c', 'https://a.example/mcp'],
  ['https://a.example/mcp#c?d', 'https://a.example/mcp?e'],
  ['https://a.example/x/../mcp', 'https://a.example/mcp'],
  ['https://a.example/./%6Dcp', 'https://a.example/mcp'],
  ['https://a.example/%7Eb/%e4', 'https://a.example/~b/%E4'],
  ['https://a.example/x/%2e%2e/mcp', 'https://a.example/mcp'],
  ['http://127.0.0.1:3000/mcp', 'http://127.0.0.1:3000/mcp'],
  ['http://[::1]:3000/mcp', 'http://[::1]:3000/mcp'],
])('sameTarget matches %s and %s', (htu, url) => {
  expect(sameTarget(htu, url)).toBe(true);
});

it.each([
  ['https://a.example:80/mcp', 'https://a.example/mcp'],
  ['http://a.example:443/mcp', 'http://a.example/mcp'],
  ['http://a.example/mcp', 'https://a.example/mcp'],
  ['https://a.example/MCP', 'https://a.example/mcp'],
  ['https://a.example/mcp/', 'https://a.example/mcp'],
  ['https://a.example/m%2Fcp', 'https://a.example/m/cp'],
  ['https://a.example/mcp%3Fa', 'https://a.example/mcp'],
  ['https://a.example/%256Dcp', 'https://a.example/mcp'],
  ['https://a.example./mcp', 'https://a.example/mcp'],
  ['https://a.example@b.example/mcp', 'https://b.example/mcp'],
  ['https://:@b.example/mcp', 'https://b.example/mcp'],
  ['https://a.example\\mcp', 'https://a.example/mcp'],
  ['https:\\\\a.example/mcp', 'https://a.example/mcp'],
  ['https:/a.example/mcp', 'https://a.example/mcp'],
  ['https:a.example/mcp', 'https://a.example/mcp'],
  ['https:///a.example/mcp', 'https://a.example/mcp'],
  ['https://a.\texample/mcp', 'https://a.example/mcp'],
  ['https://a.example/mcp\n', 'https://a.example/mcp'],
  ['https://ａ.example/mcp', 'https://a.example/mcp'],
  ['https://a.example/ä', 'https://a.example/%C3%A4'],
  ['https://a.example%40b/mcp', 'https://a.example%40b/mcp'],
  ['https://a.example:99999/mcp', 'https://a.example:99999/mcp'],
  ['https://[::1/mcp', 'https://[::1/mcp'],
  ['no address', 'no address'],
  ['', ''],
])('sameTarget distinguishes %j from %s', (htu, url) => {
  expect(sameTarget(htu, url)).toBe(false);
});

it('sameTarget never throws, and agrees with the URL class on matches', () => {
  const address = fc.oneof(
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc.string({ unit: 'binary' }),
    fc.string().map((path) => `https://a.example/${path}`),
  );
  fc.assert(
    fc.property(address, address, (one, two) => {
      if (sameTarget(one, one)) expect(URL.canParse(one)).toBe(true);
      if (sameTarget(one, two)) expect(new URL(one).host).toBe(new URL(two).host);
      expect(sameTarget(one, two)).toBe(sameTarget(two, one));
    }),
    { numRuns: 2000 },
  );
});
