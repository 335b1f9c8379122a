/** Cache of lists, valid while a new decision would be the same. */
import type { ListKind, Listing } from '../core/request-context.js';
import type { Principal } from '../core/principal.js';
import type { ProtectedTarget } from './access-rule.js';
import type { Policy } from './policy.js';

/** Inputs of a cached list; a change of any of them invalidates it. */
interface Known {
  readonly policy: Policy;
  readonly all: readonly ProtectedTarget[];
  readonly listing: Listing;
}

export class ListingCache {
  /** Policies whose lists depend on time or address. */
  private readonly changing = new WeakMap<Policy, boolean>();
  private readonly known = new WeakMap<Principal, Map<ListKind, Known>>();
  /** Equal lists are one object, so that derived data is computed once. */
  private readonly shared = new WeakMap<readonly ProtectedTarget[], Map<string, WeakRef<Listing>>>();

  /** @param decide makes the list on a miss. */
  of(
    principal: Principal,
    kind: ListKind,
    policy: Policy,
    all: readonly ProtectedTarget[],
    decide: () => Listing,
  ): Listing {
    if (this.isChanging(policy)) return decide();
    const own = this.known.get(principal) ?? new Map<ListKind, Known>();
    const found = own.get(kind);
    if (found?.policy === policy && found.all === all) return found.listing;
    const listing = this.one(decide(), all);
    this.known.set(principal, own.set(kind, { policy, all, listing }));
    return listing;
  }

  /** Roles and scopes belong to the token; conditions and the age of a login change. */
  private isChanging(policy: Policy): boolean {
    const known = this.changing.get(policy);
    if (known !== undefined) return known;
    const isAged = [...policy.targets.values()].some(({ effective, shadow }) =>
      [effective, shadow].some(({ required }) => (required.assurance?.maxAgeSeconds ?? null) !== null),
    );
    const changing = policy.conditions !== undefined || isAged;
    this.changing.set(policy, changing);
    return changing;
  }

  private one(listing: Listing, all: readonly ProtectedTarget[]): Listing {
    const { shown, ...rest } = listing;
    const key = JSON.stringify([rest, shown.map(({ name }) => name)]);
    const of = this.shared.get(all) ?? new Map<string, WeakRef<Listing>>();
    const known = of.get(key)?.deref();
    if (known) return known;
    for (const [old, gone] of of) if (!gone.deref()) of.delete(old);
    this.shared.set(all, of.set(key, new WeakRef(listing)));
    return listing;
  }
}
