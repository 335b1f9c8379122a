import { Injectable } from '@nestjs/common';
import { RequireScopes } from '../policy/decorators.js';
import { Tool } from '../tools/decorators.js';
import type { ToolCall } from '../tools/tool-call.js';
import { SendEmailInput, SentEmail } from './email.dto.js';
import { Mailer } from './mailer.js';

/** Example tool that sends e-mail. */
@Injectable()
export class EmailTools {
  constructor(private readonly mailer: Mailer) {}

  @Tool({
    name: 'send_email',
    title: 'Send an e-mail',
    description: 'Send a plain text e-mail to one recipient',
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    output: SentEmail,
  })
  @RequireScopes('email.send')
  async sendEmail(input: SendEmailInput, call: ToolCall): Promise<SentEmail> {
    return { to: input.to, message_id: await this.mailer.send(input, call.signal) };
  }
}
