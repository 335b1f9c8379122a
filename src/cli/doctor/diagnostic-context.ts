/** All that advice is given from: a token that failed a check, what it says, and what this deployment asks. */
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
  /** Empty where there are none. */
  readonly claims: Claims;
  /** Ours: the one that the token is of, or most looks like. */
  readonly issuer: IssuerSettings;
  /** Whose token, or whose issuer, it looks like. */
  readonly provider: Provider | undefined;
  /** Names of the keys that the issuer publishes; undefined where that was not asked, or could not be. */
  readonly publishedKids: readonly string[] | undefined;
  /** Why the check failed; undefined where advice is asked for beyond the checks. */
  readonly reason: ErrorCode | undefined;
  /** What failed beneath it, where the server's log would say more than its answer. */
  readonly cause: string | undefined;
  readonly setting: NameSetting;
  /** The resource identifier of this server. */
  readonly resource: string;
  readonly requireHuman: boolean;
  readonly seesCertificates: boolean;
  /** In seconds since the epoch. */
  readonly now: number;
}

/** One thing that goes wrong in the world: how it is recognized, and what to say. */
export interface DiagnosticRule {
  /** Stable: tests and scripts know it by this. */
  readonly name: string;
  /** Undefined where this is not it. */
  readonly match: (context: DiagnosticContext) => Explanation | undefined | false;
}

/** A value that should be a text; nothing where it is not: what a token holds may be of any kind. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Every value of a claim that is a text or a list of texts. */
export function textsOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((one) => typeof one === 'string');
}
