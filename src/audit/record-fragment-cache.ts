/**
 * Caches record fragments shared by many records (principal, requirements) and their JSON, for one audit
 * log.
 */
import type { Requirements } from '../core/decision.js';
import type { Principal } from '../core/principal.js';
import { canonicalJson } from '../lib/canonical-json.js';

export interface RecordedPrincipal {
  readonly iss: string;
  readonly sub: string;
  /** For display only, not an identity. Absent without a configured claim and in pseudonymized records. */
  readonly display_name?: string;
  readonly kind: Principal['kind'];
  readonly client_id: string;
  readonly tenant: string | null;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** With `auth_time`: evidence that an assurance requirement was met. */
  readonly acr: readonly string[];
  readonly auth_time: number | null;
  readonly token_id: string | null;
}

export interface RecordedRequirements {
  readonly scopes: readonly string[];
  /** One role each, or alternatives joined by `|`. */
  readonly roles: readonly string[];
  /** Any of these authentication contexts; empty: no requirement. */
  readonly acr: readonly string[];
  readonly max_age: number | null;
}

export class RecordFragmentCache {
  private readonly principals = new WeakMap<Principal, RecordedPrincipal>();
  private readonly requirements = new WeakMap<Requirements, RecordedRequirements>();
  private readonly texts = new WeakMap<object, string>();

  /** @param principal from a verified token; must not be modified. */
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

  /** Canonical JSON of a fragment made by this cache. */
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
