/** Client registration of this server at an authorization server, in a YAML file. Pure except for the secret files. */
import { IsIn, IsOptional, Matches } from 'class-validator';
import { TEXT_WITHOUT_SPACES } from '../core/patterns.js';
import { keyFault } from './private-key.js';
import { ASYMMETRIC, IsPath } from './rules.js';
import type { ClientSettings } from './settings.js';
import type { FaultReporter, SecretFiles } from './yaml-file.js';

const METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;

export class ClientEntry {
  @Matches(/^[\x20-\x7e]+$/, { message: 'must be a text of printable ASCII' })
  client_id: string;

  @IsOptional()
  @IsIn(METHODS, { message: 'must be client_secret_basic, client_secret_post or private_key_jwt' })
  client_authentication?: (typeof METHODS)[number];

  @IsOptional()
  @IsPath()
  client_secret_file?: string;

  @IsOptional()
  @IsPath()
  private_key_file?: string;

  @IsOptional()
  @IsIn(ASYMMETRIC, { message: `must be one of ${ASYMMETRIC.join(', ')}` })
  algorithm?: string;

  @IsOptional()
  @Matches(TEXT_WITHOUT_SPACES, { message: 'must be a text without spaces' })
  key_id?: string;
}

/** @returns the settings; not valid after a reported fault. @param place path of the entry, with a final dot. */
export function readClient(
  entry: ClientEntry,
  place: string,
  secrets: SecretFiles,
  report: FaultReporter,
): ClientSettings {
  const method = entry.client_authentication ?? 'client_secret_basic';
  const wanted = method === 'private_key_jwt' ? 'private_key_file' : 'client_secret_file';
  const other = method === 'private_key_jwt' ? 'client_secret_file' : 'private_key_file';
  if (entry[wanted] === undefined) report(`${place}${wanted}: `, `is required for ${method}`);
  if (entry[other] !== undefined) report(`${place}${other}: `, `has no effect for ${method}`);
  for (const name of ['algorithm', 'key_id'] as const) {
    if (method !== 'private_key_jwt' && entry[name] !== undefined) {
      report(`${place}${name}: `, `has no effect for ${method}`);
    }
  }
  const secret = secrets.optional(entry[wanted], `${place}${wanted}`, 1) ?? '';
  const algorithm = entry.algorithm ?? 'ES256';
  const fault =
    secret === ''
      ? undefined
      : method === 'private_key_jwt'
        ? keyFault(secret, algorithm)
        : lineFault(secret);
  if (fault !== undefined) report(`${place}${wanted}: `, fault);
  return {
    clientId: entry.client_id,
    authentication:
      method === 'private_key_jwt'
        ? { method, key: secret, algorithm, keyId: entry.key_id }
        : { method, secret },
  };
}

/** A secret file with several lines is an error of the operator. */
export function lineFault(secret: string): string | undefined {
  return secret.includes('\n') ? 'the file holds more than one line' : undefined;
}
