/** Selects the settings for a token: those of its issuer, or of the most similar issuer. Pure. */
import type { UnverifiedJwt } from '../../auth/verify/read-jwt.js';
import type { IssuerSettings } from '../../config/settings.js';
import { guessProvider } from './providers.js';
import { settingNames } from './setting.js';
import { distanceOf } from './rules/issuer.js';

export interface NearestIssuer {
  readonly issuer: IssuerSettings;
  /** False: similar only, used for advice. */
  readonly isOfIssuer: boolean;
}

/** @param issuers at least one. */
export function nearestIssuer(
  jwt: UnverifiedJwt | undefined,
  issuers: readonly IssuerSettings[],
): NearestIssuer {
  const first = issuers[0] as IssuerSettings;
  const exact = jwt
    ? issuers.find(({ issuer }) => issuer === jwt.claims.iss)
    : issuers.find(({ introspection }) => introspection);
  if (exact) return { issuer: exact, isOfIssuer: true };
  const said = jwt?.claims.iss;
  const provider = guessProvider(said, jwt?.claims);
  const [similar] = typeof said === 'string' ? byDistance(said, issuers) : [];
  const alike =
    provider && issuers.find(({ issuer, preset }) => [preset, guessProvider(issuer)].includes(provider));
  return { issuer: similar ?? (alike || first), isOfIssuer: false };
}

function byDistance(said: string, issuers: readonly IssuerSettings[]): IssuerSettings[] {
  return issuers
    .map((one) => ({
      one,
      distance: distanceOf({ said, configured: one.issuer, setting: settingNames(true) }),
    }))
    .filter((near): near is { one: IssuerSettings; distance: number } => near.distance !== undefined)
    .sort((a, b) => a.distance - b.distance)
    .map(({ one }) => one);
}
