/** Signed JWT that tells an upstream the user, the delegation chain and the call. */
import { SignJWT } from 'jose';
import type { DelegationLink, Principal } from '../core/principal.js';
import type { IdentityKey } from './identity-key.js';

/** Claims of one call. */
export interface Assertion {
  /** Resource identifier of the gateway. */
  readonly issuer: string;
  /** Audience: the upstream. */
  readonly audience: string;
  readonly principal: Principal;
  /** Tool name at the upstream. */
  readonly tool: string;
  /** Id of the decision. */
  readonly decisionId: string;
}

/** Prevents use as an access token (RFC 8725 section 3.11). */
export const IDENTITY_TYPE = 'gate-identity+jwt';
/** Allows for network delay and clock difference. */
const LIFETIME_SECONDS = 60;

/** RFC 7519, with `act` (RFC 8693 section 4.1) and `sub_id` (RFC 9493). */
export function identityHeader(key: IdentityKey, assertion: Assertion): Promise<string> {
  const { principal, issuer, audience, tool, decisionId } = assertion;
  const { subject, clientId, kind, delegation } = principal;
  const now = Math.floor(Date.now() / 1000);
  const actor = actorOf(delegation);
  return new SignJWT({
    sub_id: { format: 'iss_sub', iss: principal.issuer, sub: subject },
    client_id: clientId,
    kind,
    ...(actor && { act: actor }),
    tool,
  })
    .setProtectedHeader({ alg: key.algorithm, kid: key.jwk.kid, typ: IDENTITY_TYPE })
    .setIssuer(issuer)
    .setSubject(subject)
    .setAudience(audience)
    .setJti(decisionId)
    .setIssuedAt(now)
    .setExpirationTime(now + LIFETIME_SECONDS)
    .sign(key.privateKey);
}

interface Actor {
  readonly sub: string;
  readonly iss: string;
  readonly act?: Actor;
}

/** The chain starts at the root; a token nests earlier actors inside. */
function actorOf([, ...actors]: readonly DelegationLink[]): Actor | undefined {
  return actors.reduce<Actor | undefined>(
    (inner, { sub, iss }) => ({ sub, iss, ...(inner && { act: inner }) }),
    undefined,
  );
}
