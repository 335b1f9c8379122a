import { readAbsoluteTarget, toOriginForm } from './request-target.js';

describe('readAbsoluteTarget', () => {
  it.each([
    ['http://localhost:3000/mcp', 'http', 'localhost:3000', '/mcp'],
    ['HTTPS://Gate.Example.com/mcp?a=b', 'https', 'Gate.Example.com', '/mcp?a=b'],
    ['http://[::1]:3000/mcp', 'http', '[::1]:3000', '/mcp'],
    ['http://localhost', 'http', 'localhost', '/'],
    ['http://localhost?a', 'http', 'localhost', '/?a'],
    ['http://localhost//mcp', 'http', 'localhost', '//mcp'],
  ])('reads %s', (target, scheme, authority, path) => {
    expect(readAbsoluteTarget(target)).toEqual({ origin: { scheme, authority }, path });
  });

  it.each([
    '/mcp',
    '*',
    'localhost:443',
    'http:///mcp',
    'http:/mcp',
    'http:mcp',
    'ftp://localhost/mcp',
    'http://user@localhost/mcp',
    'http://localhost\\@evil.com/mcp',
    'http://localhost/mcp#x',
    'xhttp://localhost/mcp',
    '',
  ])('ignores %j', (target) => {
    expect(readAbsoluteTarget(target)).toBeUndefined();
  });
});

it('toOriginForm sets the path and keeps the origin', () => {
  const request = { url: 'http://localhost/mcp' };
  toOriginForm(request);
  expect(request).toEqual({ url: '/mcp', targetOrigin: { scheme: 'http', authority: 'localhost' } });
  for (const url of ['/mcp', '*', 'http:mcp']) {
    const other = { url };
    toOriginForm(other);
    expect(other).toEqual({ url });
  }
});
