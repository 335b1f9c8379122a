/** Reads the transmitters of `SIGNALS_FILE` and returns settings or all faults. Pure except for {@link ReadFile}. */
import { IsIn, IsOptional } from 'class-validator';
import { TEXT_WITHOUT_SPACES } from '../core/patterns.js';
import { IsAlgorithmList, IsNumber, IsPath, IsSecureUrl, IsStringList } from './rules.js';
import {
  SIGNAL_EVENTS,
  type IssuerSettings,
  type SignalEvent,
  type TransmitterSettings,
} from './settings.js';
import { checkEntry, parseYaml, SecretFiles, type ReadFile, type FaultReporter } from './yaml-file.js';

class FileEntry {
  /** Each checked against {@link TransmitterEntry}. */
  @IsOptional()
  transmitters: unknown;
}

class TransmitterEntry {
  @IsSecureUrl()
  issuer: string;

  @IsStringList((text) => TEXT_WITHOUT_SPACES.test(text), 'values without spaces')
  audience: string | readonly string[];

  @IsOptional()
  @IsSecureUrl({ query: true })
  jwks_uri?: string;

  @IsOptional()
  @IsAlgorithmList()
  algorithms?: readonly string[];

  @IsOptional()
  @IsPath()
  authorization_file?: string;

  @IsOptional()
  @IsIn([true], { message: 'must be true, or left out' })
  allow_without_authorization?: true;

  @IsSecureUrl()
  subject_issuer: string;

  @IsOptional()
  @IsIn([true], { message: 'must be true, or left out' })
  email_is_subject?: true;

  @IsStringList(
    (text) => (SIGNAL_EVENTS as readonly string[]).includes(text),
    `events that revoke: ${SIGNAL_EVENTS.join(', ')}`,
    { listOnly: true },
  )
  events: readonly SignalEvent[];

  @IsOptional()
  @IsNumber(0, 60)
  clock_tolerance_seconds?: number;

  @IsOptional()
  @IsNumber(1, 1_000_000)
  rate_limit_per_minute?: number;
}

const DEFAULTS = {
  algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
  clockToleranceSeconds: 5,
  perMinute: 6_000,
} as const;
/** RFC 9110 section 11.4: scheme and credentials. */
const AUTHORIZATION = /^[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]* [\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
const MIN_AUTHORIZATION_LENGTH = 32;

/**
 * @param issuers configured issuers; a transmitter concerns the users of one. Empty if they are faulty.
 * @returns the settings; not valid after a fault.
 */
export function readSignalsFile(
  path: string,
  issuers: readonly IssuerSettings[],
  read: ReadFile,
  faults: string[],
): TransmitterSettings[] {
  const report: FaultReporter = (place, fault) => faults.push(`SIGNALS_FILE: ${place}${fault}`);
  const file = parseYaml(path, read, 'transmitters', report);
  if (!file) return [];
  const before = faults.length;
  checkEntry(FileEntry, file, '', {}, report);
  if (!Array.isArray(file.transmitters) || file.transmitters.length === 0) {
    report('transmitters: ', 'must be a list of at least one transmitter');
    return [];
  }
  file.transmitters.forEach((one: unknown, at) =>
    checkEntry(TransmitterEntry, one, `transmitters[${at}]`, {}, report),
  );
  if (faults.length > before) return [];
  const entries = file.transmitters as TransmitterEntry[];
  const secrets = new SecretFiles(path, read, report);
  const transmitters = entries.map((entry, at) =>
    toTransmitter(entry, `transmitters[${at}].`, secrets, report),
  );
  crossValidate(transmitters, issuers, report);
  return transmitters;
}

function toTransmitter(
  entry: TransmitterEntry,
  place: string,
  secrets: SecretFiles,
  report: FaultReporter,
): TransmitterSettings {
  const authorization = secrets.optional(
    entry.authorization_file,
    `${place}authorization_file`,
    MIN_AUTHORIZATION_LENGTH,
  );
  if (authorization !== undefined && !AUTHORIZATION.test(authorization)) {
    report(
      `${place}authorization_file: `,
      'the file must hold one line: the whole value of the Authorization header, such as Bearer SECRET',
    );
  }
  if (entry.authorization_file === undefined && !entry.allow_without_authorization) {
    report(
      `${place}authorization_file: `,
      'is required; a transmitter that sends none needs allow_without_authorization: true',
    );
  }
  if (entry.authorization_file !== undefined && entry.allow_without_authorization) {
    report(`${place}allow_without_authorization: `, 'has no effect beside authorization_file');
  }
  return {
    issuer: entry.issuer,
    audience: typeof entry.audience === 'string' ? [entry.audience] : entry.audience,
    jwksUri: entry.jwks_uri,
    algorithms: entry.algorithms ?? DEFAULTS.algorithms,
    authorization,
    subjectIssuer: entry.subject_issuer,
    emailIsSubject: entry.email_is_subject ?? false,
    events: new Set(entry.events),
    clockToleranceSeconds: entry.clock_tolerance_seconds ?? DEFAULTS.clockToleranceSeconds,
    perMinute: entry.rate_limit_per_minute ?? DEFAULTS.perMinute,
  };
}

/** Checks across transmitters and issuers. */
function crossValidate(
  transmitters: readonly TransmitterSettings[],
  issuers: readonly IssuerSettings[],
  report: FaultReporter,
): void {
  transmitters.forEach(({ issuer, subjectIssuer }, at) => {
    const first = transmitters.findIndex((other) => other.issuer === issuer);
    if (first < at) {
      report(`transmitters[${at}].issuer: `, `is the same as that of transmitters[${first}]`);
    }
    if (issuers.length > 0 && !issuers.some((one) => one.issuer === subjectIssuer)) {
      report(
        `transmitters[${at}].subject_issuer: `,
        'is not a configured issuer: it must be AUTH_ISSUER, or one that IDENTITY_FILE names',
      );
    }
  });
}
