/** Reads the files that variables name. */
import { resolve } from 'node:path';
import { PRODUCT_NAME } from '../lib/version.js';
import { isSecureUrl, SECRET_URLS } from './rules.js';
import type { ExampleSettings, TracingSettings } from './settings.js';
import type { Variables } from './variables.js';
import type { ReadFile } from './yaml-file.js';

const MIN_SECRET_LENGTH = 32;

/** Reads a secret of at least {@link MIN_SECRET_LENGTH} characters. */
export function readSecret(
  name: 'AUDIT_PSEUDONYM_KEY_FILE',
  variables: Variables,
  read: ReadFile,
  faults: string[],
): string | undefined {
  const secret = readOwnFile(name, variables, read, faults);
  if (secret === undefined || secret.length >= MIN_SECRET_LENGTH) return secret;
  faults.push(`${name}: the file holds fewer than ${MIN_SECRET_LENGTH} characters`);
  return undefined;
}

/** URL with a password: from the variable, or from the file of the `_FILE` variable; both together are a fault. */
export function secretUrl(
  name: keyof typeof SECRET_URLS,
  variables: Variables,
  read: ReadFile,
  faults: string[],
): string | undefined {
  const inFile = `${name}_FILE` as const;
  if (variables[name] !== undefined && variables[inFile] !== undefined) {
    faults.push(`${inFile}: has the same purpose as ${name}: remove one of them`);
    return undefined;
  }
  const url = readOwnFile(inFile, variables, read, faults);
  if (url === undefined) return variables[name];
  const { form, message } = SECRET_URLS[name];
  if (!form.test(url)) faults.push(`${inFile}: the content of the file ${message}`);
  return url;
}

/** Settings of the example tools; undefined if they are not loaded. */
export function readExamples(
  variables: Variables,
  read: ReadFile,
  faults: string[],
): ExampleSettings | undefined {
  if (variables.EXAMPLE_TOOLS === 'true') {
    return { smtpUrl: secretUrl('SMTP_URL', variables, read, faults) };
  }
  for (const name of ['SMTP_URL', 'SMTP_URL_FILE'] as const) {
    if (variables[name] !== undefined) faults.push(`${name}: has no effect without EXAMPLE_TOOLS=true`);
  }
  return undefined;
}

/** Content of a file that a variable names. A fault states the cause without content. */
function readOwnFile(
  name: 'AUDIT_PSEUDONYM_KEY_FILE' | 'OTEL_EXPORTER_OTLP_HEADERS_FILE' | `${keyof typeof SECRET_URLS}_FILE`,
  variables: Variables,
  read: ReadFile,
  faults: string[],
): string | undefined {
  const path = variables[name]?.trim();
  if (!path) return undefined;
  try {
    return read(resolve(path)).trim();
  } catch (error) {
    faults.push(
      `${name}: the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`,
    );
  }
  return undefined;
}

/** Trace endpoint and its headers, as lines of `name: value`. */
export function readTracing(
  variables: Variables,
  read: ReadFile,
  faults: string[],
): TracingSettings | undefined {
  const endpoint = variables.OTEL_EXPORTER_OTLP_ENDPOINT?.trim();
  const text = readOwnFile('OTEL_EXPORTER_OTLP_HEADERS_FILE', variables, read, faults);
  const needing = [
    'OTEL_EXPORTER_OTLP_HEADERS_FILE',
    'OTEL_TRACES_SAMPLER_ARG',
    'OTEL_SERVICE_NAME',
  ] as const;
  if (!endpoint) {
    const idle = needing.filter((name) => variables[name] !== undefined);
    faults.push(...idle.map((name) => `${name}: has no effect without OTEL_EXPORTER_OTLP_ENDPOINT`));
    return undefined;
  }
  const lines = (text ?? '').split('\n').filter((line) => line.trim() !== '');
  const headers = lines.map((line) => /^([A-Za-z0-9-]+)\s*[:=]\s*(\S.*?)\s*$/.exec(line)?.slice(1));
  if (!headers.every((header) => header !== undefined)) {
    faults.push('OTEL_EXPORTER_OTLP_HEADERS_FILE: the file holds a line that is not NAME: VALUE');
  }
  if (lines.length > 0 && !isSecureUrl(endpoint)) {
    faults.push(
      'OTEL_EXPORTER_OTLP_ENDPOINT: must be https, or loopback, where OTEL_EXPORTER_OTLP_HEADERS_FILE is set',
    );
  }
  return {
    endpoint: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: Object.fromEntries(headers.filter((header) => header !== undefined)) as Record<string, string>,
    ratio: Number(variables.OTEL_TRACES_SAMPLER_ARG ?? 1),
    serviceName: variables.OTEL_SERVICE_NAME ?? PRODUCT_NAME,
  };
}
