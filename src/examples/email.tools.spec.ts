import { ConfigService } from '@nestjs/config';
import fc from 'fast-check';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { inspect } from 'node:util';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { Settings } from '../config/settings.js';
import { ToolError } from '../tools/results.js';
import type { ToolCall } from '../tools/tool-call.js';
import { EmailTools } from './email.tools.js';
import { Mailer } from './mailer.js';
import { isOneLine } from './text-rules.js';

interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: string;
}

jest.setTimeout(30_000);

const MAIL = { to: 'ada@example.com', subject: 'Hello', body: 'Hi Ada,\nhow are you?' };

const HEADERS = [
  'auto-submitted',
  'content-transfer-encoding',
  'content-type',
  'date',
  'from',
  'message-id',
  'mime-version',
  'subject',
  'to',
];

describe('EmailTools', () => {
  const received: Received[] = [];
  const closers: (() => void)[] = [];

  afterEach(() => {
    received.length = 0;
    for (const close of closers.splice(0)) close();
  });

  /** A mail server that accepts every message by default. Returns `host:port`. */
  async function mailServer(options: SMTPServerOptions = {}): Promise<string> {
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      disableReverseLookup: true,
      onData(stream, session, done) {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const { mailFrom, rcptTo } = session.envelope;
          received.push({
            from: mailFrom ? mailFrom.address : '',
            to: rcptTo.map((recipient) => recipient.address),
            raw: Buffer.concat(chunks).toString('latin1'),
          });
          done();
        });
      },
      ...options,
    });
    server.on('error', () => {});
    closers.push(() => server.close());
    return listening(server as unknown as Server);
  }

  /** A server with custom handling of connections. */
  async function oddServer(onConnection: (socket: Socket) => void): Promise<string> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      onConnection(socket);
    });
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return listening(server);
  }

  function toolsFor(smtpUrl: string | undefined): EmailTools {
    const mailer = new Mailer(new ConfigService<Settings, true>({ examples: { smtpUrl } }));
    closers.push(() => mailer.onApplicationShutdown());
    return new EmailTools(mailer);
  }

  it('sends one message to one recipient with the necessary headers only', async () => {
    const tools = toolsFor(`smtp://${await mailServer()}?from=desk@example.org`);
    const sent = await tools.sendEmail(MAIL, call());
    expect(received).toHaveLength(1);
    const { from, to, raw } = received[0]!;
    expect({ from, to }).toEqual({ from: 'desk@example.org', to: ['ada@example.com'] });
    const { headers, body } = parse(raw);
    expect(headers).toEqual({
      'auto-submitted': 'auto-generated',
      from: 'desk@example.org',
      to: 'ada@example.com',
      subject: 'Hello',
      'message-id': sent.message_id,
      'content-transfer-encoding': '7bit',
      date: expect.any(String),
      'mime-version': '1.0',
      'content-type': 'text/plain; charset=utf-8',
    });
    expect(body).toBe('Hi Ada,\r\nhow are you?\r\n');
    expect(sent).toEqual({ to: 'ada@example.com', message_id: expect.stringMatching(/^<.+@example\.org>$/) });
  });

  it('uses the default sender', async () => {
    await toolsFor(`smtp://${await mailServer()}`).sendEmail(MAIL, call());
    expect(received[0]).toMatchObject({ from: 'no-reply@localhost' });
  });

  it('reports a missing mail server', async () => {
    const attempt = toolsFor(undefined).sendEmail(MAIL, call());
    await expect(attempt).rejects.toThrow(new ToolError('Mail is not configured at this server'));
  });

  it.each([
    [{ to: 'ada@example.com\r\nRCPT TO:<eve@example.net>' }],
    [{ to: 'ada@example.com, eve@example.net' }],
    [{ to: 'Ada <eve@example.net>' }],
    [{ to: '"ada\r\nRCPT TO:<eve@example.net>"@example.com' }],
    [{ to: 'ada@example.com>\r\nDATA' }],
    [{ to: ['ada@example.com', 'eve@example.net'] as unknown as string }],
    [{ subject: 'Hello\r\nBcc: eve@example.net' }],
    [{ subject: 'Hello\nX-Forged: yes' }],
    [{ subject: 'Hello\r\n\r\nA body of my own' }],
    [{ subject: { path: '/etc/hostname' } as unknown as string }],
  ])('blocks injection behind the input class: %j', async (forged) => {
    const tools = toolsFor(`smtp://${await mailServer()}`);
    await expect(tools.sendEmail({ ...MAIL, ...forged }, call())).rejects.toThrow(
      'Invalid recipient or subject',
    );
    expect(received).toEqual([]);
  });

  it.each(['\r\n.\r\n', '\n.\n', '\r.\r', '\n.\r\n', '\r\n.\n', '\r.\r\n'])(
    'escapes an end of data in the body: %j',
    async (end) => {
      const tools = toolsFor(`smtp://${await mailServer()}`);
      const second = ['MAIL FROM:<a@example.com>', 'RCPT TO:<eve@example.net>', 'DATA', 'forged'].join(
        '\r\n',
      );
      await tools.sendEmail({ ...MAIL, body: `first${end}${second}${end}` }, call());
      expect(received).toHaveLength(1);
      expect(received[0]!.to).toEqual(['ada@example.com']);
      expect(decoded(received[0]!.raw)).toContain('forged');
      expect(received[0]!.raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    },
  );

  it('keeps every subject in one header and every body after the headers', async () => {
    const tools = toolsFor(`smtp://${await mailServer()}?pool=true`);
    const line = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.string());
    const subject = line.filter(isOneLine);
    const piece = fc.oneof(line, fc.constantFrom('\r\n', '\n', 'Bcc: eve@example.net', '.'));
    const body = fc.array(piece).map((pieces) => `Hi${pieces.join('')}`);
    await fc.assert(
      fc.asyncProperty(subject, body, async (title, text) => {
        received.length = 0;
        await tools.sendEmail({ ...MAIL, subject: title, body: text }, call());
        expect(received).toHaveLength(1);
        const { names, headers } = parse(received[0]!.raw);
        expect(names.sort()).toEqual(HEADERS);
        expect(headers.to).toBe('ada@example.com');
      }),
      { numRuns: 200 },
    );
  });

  it('reports a recipient that the server rejects', async () => {
    const host = await mailServer({
      onRcptTo: (_, __, done) => done(Object.assign(new Error('no such user'), { responseCode: 550 })),
    });
    const attempt = toolsFor(`smtp://${host}`).sendEmail(MAIL, call());
    await expect(attempt).rejects.toThrow(new ToolError('The mail server refuses this recipient'));
  });

  it('does not blame the recipient for a busy server', async () => {
    const host = await mailServer({
      onRcptTo: (_, __, done) => done(Object.assign(new Error('later'), { responseCode: 451 })),
    });
    const error = await failure(toolsFor(`smtp://${host}`).sendEmail(MAIL, call()));
    expect(error).not.toBeInstanceOf(ToolError);
    expect(error.message).toBe('The message could not be sent: EENVELOPE RCPT TO 451');
  });

  it('authenticates with the credentials of the URL', async () => {
    const seen: unknown[] = [];
    const host = await mailServer({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: (auth, _, done) => {
        seen.push([auth.username, auth.password]);
        done(null, { user: auth.username });
      },
    });
    await toolsFor(`smtp://us%40er:pa%3Ass%2Fwörd@${host}`).sendEmail(MAIL, call());
    expect(seen).toEqual([['us@er', 'pa:ss/wörd']]);
    expect(received).toHaveLength(1);
  });

  it('sends no credentials if required TLS is unavailable', async () => {
    const seen: unknown[] = [];
    const host = await mailServer({ allowInsecureAuth: true, onAuth: (auth) => seen.push(auth) });
    const error = await failure(toolsFor(`smtp://u:p@${host}?requireTLS=true`).sendEmail(MAIL, call()));
    expect(error.message).toMatch(/^The message could not be sent: ETLS/);
    expect([seen, received]).toEqual([[], []]);
  });

  it('hides credentials when the login fails', async () => {
    const host = await mailServer({
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: (auth, _, done) => done(new Error(`bad password ${auth.password} of ${auth.username}`)),
    });
    const error = await failure(toolsFor(`smtp://user-x:s3cretword@${host}`).sendEmail(MAIL, call()));
    expect(error).not.toBeInstanceOf(ToolError);
    expect(error.message).toMatch(/^The message could not be sent: EAUTH/);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/s3cretword|user-x/);
  });

  it.each<[string, (socket: Socket) => void, RegExp]>([
    ['hangs up', (socket) => socket.end(), /ECONNECTION|ESOCKET/],
    ['resets', (socket) => socket.resetAndDestroy(), /ECONNECTION|ESOCKET/],
    ['speaks HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /EPROTOCOL/],
    ['greets and goes', (socket) => socket.end('220 hi\r\n'), /ECONNECTION|ESOCKET/],
    ['says 554 twice and resets', insult, /EPROTOCOL/],
    ['says nothing', () => {}, /ETIMEDOUT/],
  ])('stops at the time limit for a server that %s', async (_, onConnection, code) => {
    const host = await oddServer(onConnection);
    const error = await failure(toolsFor(`smtp://${host}?greetingTimeout=200`).sendEmail(MAIL, call()));
    expect(error.message).toMatch(/^The message could not be sent: /);
    expect(error.message).toMatch(code);
    await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it('reports a refused connection', async () => {
    const host = await mailServer();
    closers.splice(0).forEach((close) => close());
    const error = await failure(toolsFor(`smtp://u:s3cretword@${host}`).sendEmail(MAIL, call()));
    expect(error.message).toMatch(/^The message could not be sent: ESOCKET/);
  });

  it('recovers from the loss of a pooled connection', async () => {
    const host = await mailServer({ socketTimeout: 300 });
    const tools = toolsFor(`smtp://${host}?pool=true`);
    await tools.sendEmail(MAIL, call());
    await new Promise((resolve) => setTimeout(resolve, 600));
    await tools.sendEmail(MAIL, call());
    expect(received).toHaveLength(2);
  });

  it('closes pooled connections at shutdown', async () => {
    let close: (state: string) => void;
    const closed = new Promise<string>((resolve) => (close = resolve));
    const host = await mailServer({ onClose: () => close('closed') });
    const mailer = new Mailer(
      new ConfigService<Settings, true>({ examples: { smtpUrl: `smtp://${host}?pool=true` } }),
    );
    await new EmailTools(mailer).sendEmail(MAIL, call());
    const late = new Promise((done) => setTimeout(done, 1_000, 'still open'));
    mailer.onApplicationShutdown();
    expect(await Promise.race([closed, late])).toBe('closed');
  });

  it('aborts with the signal of the call', async () => {
    const host = await oddServer(() => {});
    const caller = new AbortController();
    const attempt = failure(toolsFor(`smtp://${host}`).sendEmail(MAIL, call(caller.signal)));
    setTimeout(() => caller.abort(new Error('no longer wanted')), 50);
    expect((await attempt).message).toBe('no longer wanted');
  });

  it('rejects an invalid sender at startup', () => {
    expect(() => toolsFor('smtp://u:s3cretword@localhost?from=Desk%20%3Cd@example.org%3E')).toThrow(
      /^SMTP_URL: the parameter from is not a plain e-mail address$/,
    );
  });
});

function insult(socket: Socket): void {
  socket.write('554 no\r\n554 no\r\n');
  setTimeout(() => socket.resetAndDestroy(), 10);
}

function call(signal = new AbortController().signal): ToolCall {
  return { signal } as ToolCall;
}

async function failure(attempt: Promise<unknown>): Promise<Error> {
  return attempt.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: Error) => error,
  );
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = (server as unknown as { server?: Server }).server ?? server;
  return `127.0.0.1:${(at.address() as AddressInfo).port}`;
}

/** Header names in order, values unfolded. */
function parse(raw: string): { names: string[]; headers: Record<string, string>; body: string } {
  const end = raw.indexOf('\r\n\r\n');
  const lines = raw
    .slice(0, end)
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  const entries = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return {
    names: entries.map(([name]) => name),
    headers: Object.fromEntries(entries),
    body: raw.slice(end + 4),
  };
}

/** The body as text, after decoding. */
function decoded(raw: string): string {
  const { headers, body } = parse(raw);
  switch (headers['content-transfer-encoding']) {
    case 'base64':
      return Buffer.from(body, 'base64').toString();
    case 'quoted-printable':
      return body
        .replaceAll(/=\r\n/g, '')
        .replaceAll(/=([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
    default:
      return body;
  }
}
