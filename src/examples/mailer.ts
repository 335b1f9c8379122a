import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { type Transporter, createTransport } from 'nodemailer';
import type { Settings } from '../config/settings.js';
import { ToolError } from '../tools/results.js';
import { smtpOptions } from './smtp-options.js';
import { isOneLine, isPlainAddress } from './text-rules.js';

export interface Mail {
  /** One plain address. */
  readonly to: string;
  readonly subject: string;
  /** Plain text. */
  readonly body: string;
}

/** Time limit of the whole SMTP conversation. */
const SEND_TIMEOUT_MS = 60_000;

/** Sends mail through the server of `SMTP_URL`; one connection per message unless the URL has `pool=true`. */
@Injectable()
export class Mailer implements OnApplicationShutdown {
  private readonly outgoing: { readonly from: string; readonly transporter: Transporter } | undefined;

  constructor(config: ConfigService<Settings, true>) {
    const smtpUrl = config.get('examples', { infer: true })?.smtpUrl;
    if (smtpUrl === undefined) return;
    const { from, transport } = smtpOptions(smtpUrl);
    this.outgoing = { from, transporter: createTransport(transport) };
  }

  /**
   * @param signal aborts the attempt; an accepted message is not recalled.
   * @returns the Message-ID.
   * @throws ToolError without a mail server, or if the server rejects the recipient permanently; Error, without
   * credentials, for other failures.
   */
  async send(mail: Mail, signal: AbortSignal): Promise<string> {
    if (!this.outgoing) throw new ToolError('Mail is not configured at this server');
    // Callers validate this. The check here prevents header injection and additional recipients.
    if (!isPlainAddress(mail.to) || !isOneLine(mail.subject)) throw new Error('Invalid recipient or subject');
    const { from, transporter } = this.outgoing;
    try {
      const sent = await transporter.sendMail({
        envelope: { from, to: [mail.to] },
        from: { name: '', address: from },
        to: { name: '', address: mail.to },
        subject: mail.subject,
        text: mail.body,
        headers: { 'Auto-Submitted': 'auto-generated' },
        xMailer: false,
        disableFileAccess: true,
        disableUrlAccess: true,
        signal: AbortSignal.any([signal, AbortSignal.timeout(SEND_TIMEOUT_MS)]),
      });
      return sent.messageId as string;
    } catch (error) {
      signal.throwIfAborted();
      throw toPublicError(error as SmtpFailure);
    }
  }

  onApplicationShutdown(): void {
    this.outgoing?.transporter.close();
  }
}

interface SmtpFailure {
  readonly code?: string;
  readonly command?: string;
  readonly responseCode?: number;
}

/** Codes only: texts of the server and its error may repeat the conversation. */
function toPublicError({ code, command, responseCode }: SmtpFailure): Error {
  if (command === 'RCPT TO' && responseCode !== undefined && responseCode >= 500) {
    return new ToolError('The mail server refuses this recipient');
  }
  const facts = [code, command, responseCode].filter((fact) => fact !== undefined);
  return new Error(`The message could not be sent: ${facts.join(' ') || 'unknown error'}`);
}
