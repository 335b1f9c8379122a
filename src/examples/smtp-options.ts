/** How mail is sent, from `SMTP_URL`. */
import type { SMTPTransportOptions } from 'nodemailer';
import { isLoopbackHost } from '../config/rules.js';
import { isPlainAddress } from './text-rules.js';

export interface SmtpOptions {
  readonly from: string;
  readonly transport: SMTPTransportOptions;
}

const DEFAULT_SENDER = 'no-reply@localhost';

/** Waits, in milliseconds, each for one step of the conversation. */
const TIMEOUTS = {
  dnsTimeout: 10_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 20_000,
};

/**
 * `smtp[s]://[user:password@]host[:port][?from=ADDRESS&…]`. The sender is `from`, by default `no-reply@localhost`;
 * other parameters are options of nodemailer's SMTP transport and win over the ones set here. With credentials, TLS
 * is required unless the server is this machine or the URL says `requireTLS=false`.
 * @throws Error when the URL or its `from` cannot be used; the message holds neither.
 */
export function smtpOptions(smtpUrl: string): SmtpOptions {
  if (!URL.canParse(smtpUrl)) throw new Error('SMTP_URL cannot be read as a URL');
  const url = new URL(smtpUrl);
  const from = url.searchParams.get('from') ?? DEFAULT_SENDER;
  if (from !== DEFAULT_SENDER && !isPlainAddress(from)) {
    throw new Error('SMTP_URL: the parameter from is no plain e-mail address');
  }
  url.searchParams.delete('from');
  const requireTLS = url.username !== '' && !isLoopbackHost(url.hostname);
  return { from, transport: { ...TIMEOUTS, requireTLS, url: url.href } };
}
