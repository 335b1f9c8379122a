/** What many records have in common, made once and written once: who asked, and what was demanded. Of one audit log. */
import type { Requirements } from '../core/decision.js';
import type { Principal } from '../core/principal.js';
import { canonicalJson } from '../lib/canonical-json.js';

export interface RecordedPrincipal {
  readonly iss: string;
  readonly sub: string;
  /** For people who read: never an identity. Not there where no claim is named for it, and beside pseudonyms. */
  readonly display_name?: string;
  readonly kind: Principal['kind'];
  readonly client_id: string;
  readonly tenant: string | null;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** With `auth_time`: what proves later that a demand for assurance was met. */
  readonly acr: readonly string[];
  readonly auth_time: number | null;
  readonly token_id: string | null;
}

export interface RecordedRequirements {
  readonly scopes: readonly string[];
  /** Each is one role, or alternatives joined by `|`. */
  readonly roles: readonly string[];
  /** Any of these authentication contexts; empty: whichever. */
  readonly acr: readonly string[];
  readonly max_age: number | null;
}

export class RecordFragmentCache {
  private readonly principals = new WeakMap<Principal, RecordedPrincipal>();
  private readonly requirements = new WeakMap<Requirements, RecordedRequirements>();
  private readonly texts = new WeakMap<object, string>();

  /** @param principal as a token was verified to speak for it: nobody changes it. */
  principal(principal: Principal): RecordedPrincipal {
    const known = this.principals.get(principal);
    if (known) return known;
    const made = recordedPrincipal(principal);
    this.principals.set(principal, made);
    this.keep(made);
    this.keep(principal.delegation);
    return made;
  }

  required(requirements: Requirements): RecordedRequirements {
    const known = this.requirements.get(requirements);
    if (known) return known;
    const made = recordedRequirements(requirements);
    this.requirements.set(requirements, made);
    this.keep(made);
    return made;
  }

  /** Of a part that was made here, its canonical JSON. */
  textOf(part: object): string | undefined {
    return this.texts.get(part);
  }

  private keep(part: object): void {
    this.texts.set(part, canonicalJson(part));
  }
}

function recordedPrincipal(principal: Principal): RecordedPrincipal {
  return {
    iss: principal.issuer,
    sub: principal.subject,
    ...(principal.displayName !== undefined && { display_name: principal.displayName }),
    kind: principal.kind,
    client_id: principal.clientId,
    tenant: principal.tenant,
    scopes: principal.scopes,
    roles: principal.roles,
    acr: principal.acr,
    auth_time: principal.authenticatedAt,
    token_id: principal.tokenId,
  };
}

export function recordedRequirements({ scopes, roles, assurance }: Requirements): RecordedRequirements {
  return {
    scopes,
    roles: roles.map((group) => group.join('|')),
    acr: assurance?.acr ?? [],
    max_age: assurance?.maxAgeSeconds ?? null,
  };
}
