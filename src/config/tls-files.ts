/** Reads the certificate files of in-process TLS. */
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ConfigurationError } from './load-settings.js';
import type { TlsSettings } from './settings.js';

export interface TlsFiles extends SecureContextOptions {
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
}

/** @throws ConfigurationError if a file is unreadable, or certificate and key do not match. */
export function readTlsFiles({ certFile, keyFile, clientCaFile }: TlsSettings): TlsFiles {
  const files: TlsFiles = {
    cert: readVariableFile('TLS_CERT_FILE', certFile),
    key: readVariableFile('TLS_KEY_FILE', keyFile),
    minVersion: 'TLSv1.2',
    ...(clientCaFile !== undefined && {
      ca: readVariableFile('TLS_CLIENT_CA_FILE', clientCaFile),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  };
  try {
    createSecureContext(files);
  } catch (error) {
    throw new ConfigurationError([
      `TLS_CERT_FILE: certificate and key cannot be used (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
    ]);
  }
  return files;
}

function readVariableFile(variable: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new ConfigurationError([
      `${variable}: the file cannot be read (${(error as NodeJS.ErrnoException).code})`,
    ]);
  }
}
