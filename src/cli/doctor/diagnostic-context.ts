/** Facts for advice: a token that failed a check, its claims, and the settings. */
import type { Claims } from '../../auth/presets/presets.js';
import type { UnverifiedJwt } from '../../auth/verify/read-jwt.js';
import type { ErrorCode } from '../../core/app-error.js';
import type { IssuerSettings } from '../../config/settings.js';
import type { Provider } from './providers.js';
import type { Explanation } from './report.js';
import type { NameSetting } from './setting.js';

export interface DiagnosticContext {
  readonly token: string;
  readonly jwt: UnverifiedJwt | undefined;
  /** Empty without claims. */
  readonly claims: Claims;
  /** Configured issuer of the token, or the most similar one. */
  readonly issuer: IssuerSettings;
  /** Probable provider of the token or issuer. */
  readonly provider: Provider | undefined;
  /** Key ids that the issuer publishes; undefined if not fetched. */
  readonly publishedKids: readonly string[] | undefined;
  /** Reason of the failed check; undefined for advice beyond the checks. */
  readonly reason: ErrorCode | undefined;
  /** Internal cause, if the log of the server has one. */
  readonly cause: string | undefined;
  readonly setting: NameSetting;
  /** Resource identifier of this server. */
  readonly resource: string;
  readonly requireHuman: boolean;
  readonly seesCertificates: boolean;
  /** Unix time in seconds. */
  readonly now: number;
}

/** A known mistake: its recognition and its explanation. */
export interface DiagnosticRule {
  /** Stable name for tests and scripts. */
  readonly name: string;
  /** Undefined or false if the rule does not apply. */
  readonly match: (context: DiagnosticContext) => Explanation | undefined | false;
}

/** A string value; empty for other types, which a token may contain. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** String values of a claim that is a string or a list. */
export function textsOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((one) => typeof one === 'string');
}
