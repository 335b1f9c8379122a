/** Options of the mail transport from `SMTP_URL`. */
import type { SMTPTransportOptions } from 'nodemailer';
import { isLoopbackHost } from '../config/rules.js';
import { isPlainAddress } from './text-rules.js';

export interface SmtpOptions {
  readonly from: string;
  readonly transport: SMTPTransportOptions;
}

const DEFAULT_SENDER = 'no-reply@localhost';

/** Time limits of single steps, in milliseconds. */
const TIMEOUTS = {
  dnsTimeout: 10_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 20_000,
};

/**
 * `smtp[s]://[user:password@]host[:port][?from=ADDRESS&…]`. The sender is `from`, by default `no-reply@localhost`;
 * other parameters are options of nodemailer's SMTP transport and override the defaults. Credentials require TLS,
 * except on loopback or with `requireTLS=false`.
 * @throws Error if the URL or its `from` is invalid; the message contains neither.
 */
export function smtpOptions(smtpUrl: string): SmtpOptions {
  if (!URL.canParse(smtpUrl)) throw new Error('SMTP_URL is not a valid URL');
  const url = new URL(smtpUrl);
  const from = url.searchParams.get('from') ?? DEFAULT_SENDER;
  if (from !== DEFAULT_SENDER && !isPlainAddress(from)) {
    throw new Error('SMTP_URL: the parameter from is not a plain e-mail address');
  }
  url.searchParams.delete('from');
  const requireTLS = url.username !== '' && !isLoopbackHost(url.hostname);
  return { from, transport: { ...TIMEOUTS, requireTLS, url: url.href } };
}
