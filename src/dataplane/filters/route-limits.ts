import { type SharedCount, SharedCounts } from "../../kit/shared-counts.ts";
import { SharedMemory } from "../../kit/shared-memory.ts";
import { SharedRates } from "../../kit/shared-rates.ts";
import type { BucketRate } from "../../kit/token-bucket.ts";

/**
 * What `limit` filters have counted, by route: one for a gateway, so that a new snapshot does not begin to count anew. Gateways that
 * share their memory count together.
 */
export class RouteLimits {
  readonly #shared: Shared;
  readonly #counts = new Map<string, LimitCounts[]>();

  constructor(memory = SharedMemory.alone()) {
    this.#shared = { counts: new SharedCounts(memory), rates: new SharedRates(memory) };
  }

  /** The counts of the `ordinal`th limit filter of a route. */
  of(route: string, ordinal: number): LimitCounts {
    const list = this.#counts.get(route) ?? [];
    this.#counts.set(route, list);
    while (list.length <= ordinal) list.push(new LimitCounts(`limit ${list.length} ${route}`, this.#shared));
    return list[ordinal] as LimitCounts;
  }

  /** Forgets the routes that are gone, as soon as their last session here has ended. */
  retain(routes: ReadonlySet<string>): void {
    for (const [route, list] of this.#counts) {
      if (!routes.has(route) && list.every((counts) => counts.sessions === 0)) this.#counts.delete(route);
    }
  }
}

type Shared = { readonly counts: SharedCounts; readonly rates: SharedRates };

/** At most so many open sessions; undefined for any number. */
export type SessionLimits = {
  readonly sessions?: number | undefined;
  readonly sessionsPerAddress?: number | undefined;
};

/** Tokens a second, of the route and of one address; undefined for any number. */
export type RateLimits = {
  readonly perSecond?: BucketRate | undefined;
  readonly perSecondPerAddress?: BucketRate | undefined;
};

/** The counts of one `limit` filter. */
export class LimitCounts {
  readonly #name: string;
  readonly #shared: Shared;
  readonly #sessions: SharedCount;
  /** Of addresses with open sessions here. */
  readonly #byAddress = new Map<string, SharedCount>();

  constructor(name: string, shared: Shared) {
    this.#name = name;
    this.#shared = shared;
    this.#sessions = shared.counts.of(name);
  }

  /** Open sessions of this gateway, handshakes on their way included. */
  get sessions(): number {
    return this.#sessions.own;
  }

  /** How many client addresses have sessions here. */
  get addresses(): number {
    return this.#byAddress.size;
  }

  /** Counts a session until `removeSession`, or says which limit stands against it. */
  addSession(address: string, limits: SessionLimits): "counted" | "route" | "address" {
    if (!this.#sessions.tryAdd(limits.sessions ?? Number.POSITIVE_INFINITY)) return "route";
    const ofAddress = this.#byAddress.get(address) ?? this.#shared.counts.of(`${this.#name} ${address}`);
    if (ofAddress.tryAdd(limits.sessionsPerAddress ?? Number.POSITIVE_INFINITY)) {
      this.#byAddress.set(address, ofAddress);
      return "counted";
    }
    this.#sessions.add(-1);
    return "address";
  }

  removeSession(address: string): void {
    this.#sessions.add(-1);
    const ofAddress = this.#byAddress.get(address);
    ofAddress?.add(-1);
    if (ofAddress?.own === 0) this.#byAddress.delete(address);
  }

  /** Takes a token of the address and one of the route, or neither and says how long until there are both (ms). */
  takeTokens(address: string, { perSecond, perSecondPerAddress }: RateLimits, now: number): number {
    const { rates } = this.#shared;
    const own = `${this.#name} ${address}`;
    const ownWait = perSecondPerAddress === undefined ? 0 : rates.take(own, perSecondPerAddress, now);
    if (perSecond === undefined) return ownWait;
    if (ownWait > 0) return Math.max(ownWait, rates.waitMs(this.#name, perSecond, now));
    const routeWait = rates.take(this.#name, perSecond, now);
    if (routeWait > 0 && perSecondPerAddress !== undefined) rates.giveBack(own, perSecondPerAddress, now);
    return routeWait;
  }
}
