/** A token of the gate's own that tells an upstream who asks, through whom, and for which call. */
import { SignJWT } from 'jose';
import type { DelegationLink, Principal } from '../core/principal.js';
import type { IdentityKey } from './identity-key.js';

/** What is said of one call. */
export interface Assertion {
  /** The resource identifier of the gate. */
  readonly issuer: string;
  /** Whom it is for, and nobody else. */
  readonly audience: string;
  readonly principal: Principal;
  /** The upstream's own name of the tool. */
  readonly tool: string;
  /** Names the record of the decision. */
  readonly decisionId: string;
}

/** So that it is never taken for an access token (RFC 8725 section 3.11). */
export const IDENTITY_TYPE = 'gate-identity+jwt';
/** It is made for one call: this is room for a slow network and a clock that is off. */
const LIFETIME_SECONDS = 60;

/** RFC 7519, with `act` (RFC 8693 section 4.1) and `sub_id` (RFC 9493): a subject is one of its issuer's. */
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

/** The chain goes from the root out; in a token the outermost is on top, and those before it are inside. */
function actorOf([, ...actors]: readonly DelegationLink[]): Actor | undefined {
  return actors.reduce<Actor | undefined>(
    (inner, { sub, iss }) => ({ sub, iss, ...(inner && { act: inner }) }),
    undefined,
  );
}
