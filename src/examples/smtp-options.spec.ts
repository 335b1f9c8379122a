import { smtpOptions } from './smtp-options.js';

describe('smtpOptions', () => {
  it.each([
    ['smtp://mail.example.com', false],
    ['smtp://user:pass@mail.example.com', true],
    ['smtp://user:pass@mail.example.com:587?from=a@example.com', true],
    ['smtp://user:pass@localhost.example.com', true],
    ['smtp://user:pass@127.example.com', true],
    ['smtp://user:pass@localhost:25', false],
    ['smtp://user:pass@127.0.0.1:25', false],
    ['smtp://user:pass@[::1]:25', false],
  ])('protects credentials: %s', (url, requireTLS) => {
    expect(smtpOptions(url).transport.requireTLS).toBe(requireTLS);
  });

  it('separates the sender from other parameters', () => {
    const { from, transport } = smtpOptions(
      'smtps://u:p@mail.example.com:465?from=desk@example.org&name=gate.example.org',
    );
    expect(from).toBe('desk@example.org');
    expect(transport.url).toBe('smtps://u:p@mail.example.com:465?name=gate.example.org');
  });

  it('has a default sender', () => {
    expect(smtpOptions('smtp://mail.example.com').from).toBe('no-reply@localhost');
  });

  it.each([
    'smtp://u:s3cret@:x',
    'smtp://u:s3cret@host?from=',
    'smtp://u:s3cret@host?from=a@b.example%0d%0aBcc:x',
  ])('rejects %s without repeating it', (url) => {
    expect(() => smtpOptions(url)).toThrow(/^SMTP_URL(?!.*s3cret)/);
  });
});
