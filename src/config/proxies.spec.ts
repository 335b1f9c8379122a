import { proxyFor, proxyNotices, proxyVariables, readOutbound } from './proxies.js';

const HTTPS_PROXY = 'http://proxy.corp:3128';

function way(env: Record<string, string>, target: string): string {
  return proxyFor(readOutbound(proxyVariables(env)), target)?.name ?? 'direct';
}

describe('proxyFor', () => {
  it.each([
    [{ HTTPS_PROXY }, 'https://a.example.com/x', 'proxy.corp:3128'],
    [{ HTTPS_PROXY }, 'http://a.example.com/x', 'direct'],
    [{ HTTP_PROXY: HTTPS_PROXY }, 'https://a.example.com/x', 'direct'],
    [{ HTTP_PROXY: HTTPS_PROXY }, 'http://a.example.com/x', 'proxy.corp:3128'],
    [{ https_proxy: HTTPS_PROXY }, 'https://a.example.com', 'proxy.corp:3128'],
    [{ https_proxy: 'http://lower:1', HTTPS_PROXY }, 'https://a.example.com', 'lower:1'],
    [{ https_proxy: '', HTTPS_PROXY }, 'https://a.example.com', 'direct'],
    [{ HTTPS_PROXY: 'proxy.corp:3128' }, 'https://a.example.com', 'proxy.corp:3128'],
    [{ HTTPS_PROXY: 'http://proxy.corp' }, 'https://a.example.com', 'proxy.corp:80'],
    [{ HTTPS_PROXY: 'https://proxy.corp' }, 'https://a.example.com', 'proxy.corp:443'],
    [{ HTTPS_PROXY: 'http://[fd00::1]:3128' }, 'https://a.example.com', '[fd00::1]:3128'],
    [{ ALL_PROXY: HTTPS_PROXY }, 'https://a.example.com', 'direct'],
  ])('selects %j for %s to %s', (env, target, expected) => {
    expect(way(env as Record<string, string>, target)).toBe(expected);
  });

  it.each([
    'https://localhost',
    'https://LOCALHOST.:8443',
    'https://issuer.localhost',
    'http://127.0.0.1:3000',
    'http://127.9.9.9',
    'https://[::1]:3000',
    'https://[::ffff:127.0.0.1]',
    'https://2130706433',
  ])('connects directly to %s with any NO_PROXY', (target) => {
    expect(way({ HTTPS_PROXY, HTTP_PROXY: HTTPS_PROXY }, target)).toBe('direct');
  });

  it.each([
    ['*', 'a.example.com', true],
    ['example.com', 'example.com', true],
    ['example.com', 'EXAMPLE.com', true],
    ['EXAMPLE.COM', 'example.com.', true],
    ['example.com', 'a.b.example.com', true],
    ['example.com', 'notexample.com', false],
    ['example.com', 'example.com.evil.test', false],
    ['.example.com', 'a.example.com', true],
    ['.example.com', 'example.com', false],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'aexample.com', false],
    ['example.com:8443', 'example.com:8443', true],
    ['example.com:8443', 'example.com', false],
    ['example.com:443', 'example.com', true],
    ['.example.com:443', 'a.example.com', true],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['10.1.2.3:8443', '10.1.2.3:8443', true],
    ['10.1.2.3:8443', '10.1.2.3', false],
    ['10.0.0.0/8', '10.200.0.1:8443', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', 'ten.example.com', false],
    ['0.0.0.0/0', '192.0.2.1', true],
    ['fd00::/8', '[fd12::1]', true],
    ['[fd12::1]', '[fd12:0:0::1]', true],
    ['[fd12::1]:8443', '[fd12::1]:8443', true],
    ['[fd12::1]:8443', '[fd12::1]', false],
    ['fd12::1', '[fd12::2]', false],
    ['a.test, example.com', 'example.com', true],
    ['a.test example.com', 'example.com', true],
    [',, ,', 'example.com', false],
    ['10.0.0.0/99', '10.0.0.1', false],
    ['https://example.com', 'example.com', false],
    ['exa*', 'example.com', false],
  ])('with NO_PROXY=%s connects directly to %s: %p', (entries, host, isDirect) => {
    const env = { HTTPS_PROXY, NO_PROXY: entries };
    expect(way(env, `https://${host}/x`)).toBe(isDirect ? 'direct' : 'proxy.corp:3128');
  });

  it('prefers no_proxy to NO_PROXY', () => {
    expect(way({ HTTPS_PROXY, NO_PROXY: '*', no_proxy: 'b.test' }, 'https://a.test')).not.toBe('direct');
  });
});

describe('readOutbound', () => {
  it('decodes credentials and keeps them out of the name', () => {
    expect(readOutbound({ HTTPS_PROXY: 'http://a%40b:s%3Acret@proxy.corp:3128/' })?.https).toEqual({
      variable: 'HTTPS_PROXY',
      secure: false,
      hostname: 'proxy.corp',
      port: 3128,
      name: 'proxy.corp:3128',
      authorization: `Basic ${Buffer.from('a@b:s:cret').toString('base64')}`,
    });
  });

  it.each([
    'socks5://proxy.corp:1080',
    'ftp://proxy.corp',
    'http://proxy.corp/path',
    'http://proxy.corp?x',
    'http://a:%zz@proxy.corp',
    'http://',
    'http://proxy.corp:99999',
    'a b',
  ])('returns no proxy for %j', (text) => {
    expect(readOutbound({ HTTPS_PROXY: text })).toBeUndefined();
  });
});

describe('proxyNotices', () => {
  it('names variables without effect, without credentials', () => {
    const notices = proxyNotices({
      HTTPS_PROXY,
      https_proxy: 'http://u:s3cret@other:1',
      ALL_PROXY: 'socks5://u:s3cret@x:1',
      NO_PROXY: 'a.test,/var/run/docker.sock,10.0.0.0/99',
    });
    expect(notices).toEqual([
      expect.stringContaining('HTTPS_PROXY has no effect: https_proxy has another value'),
      'ALL_PROXY has no effect: set HTTPS_PROXY',
      expect.stringContaining('NO_PROXY: "/var/run/docker.sock" is not a host'),
      expect.stringContaining('NO_PROXY: "10.0.0.0/99" is not a host'),
    ]);
    expect(notices.join()).not.toContain('s3cret');
  });
});
