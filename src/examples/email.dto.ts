/** Input and output of `send_email`. */
import { IsString, Length } from 'class-validator';
import { JSONSchema } from 'class-validator-jsonschema';
import { IsOneLine, IsPlainAddress } from './validators.js';

export class SendEmailInput {
  @IsPlainAddress()
  @JSONSchema({ description: 'Exactly one recipient: a plain address, without a display name' })
  to: string;

  @IsOneLine()
  @Length(1, 200)
  @JSONSchema({ description: 'Subject, one line' })
  subject: string;

  @IsString()
  @Length(1, 20_000)
  @JSONSchema({ description: 'Plain text of the message' })
  body: string;
}

export class SentEmail {
  @IsString()
  @JSONSchema({ description: 'The recipient that the mail server accepted' })
  to: string;

  @IsString()
  @JSONSchema({ description: 'Message-ID of the message' })
  message_id: string;
}
