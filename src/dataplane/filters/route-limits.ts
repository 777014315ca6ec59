import { type BucketRate, TokenBucket } from "../../kit/token-bucket.ts";

/** Each of the two generations. */
const mostBuckets = 50_000;

/** What `limit` filters have counted, by route: one for a gateway, so that a new snapshot does not begin to count anew. */
export class RouteLimits {
  readonly #counts = new Map<string, LimitCounts[]>();

  /** The counts of the `ordinal`th limit filter of a route. */
  of(route: string, ordinal: number): LimitCounts {
    const list = this.#counts.get(route) ?? [];
    this.#counts.set(route, list);
    while (list.length <= ordinal) list.push(new LimitCounts());
    return list[ordinal] as LimitCounts;
  }

  /** Forgets the routes that are gone, as soon as their last session has ended. */
  retain(routes: ReadonlySet<string>): void {
    for (const [route, list] of this.#counts) {
      if (!routes.has(route) && list.every((counts) => counts.sessions === 0)) this.#counts.delete(route);
    }
  }
}

/** The counts of one `limit` filter. */
export class LimitCounts {
  /** Open sessions, handshakes on their way included. */
  sessions = 0;
  readonly rate = new TokenBucket();
  readonly #sessionsByAddress = new Map<string, number>();
  readonly #rates = new AddressRates();

  /** How many client addresses are remembered. */
  get addresses(): number {
    return this.#sessionsByAddress.size + this.#rates.size;
  }

  sessionsOf(address: string): number {
    return this.#sessionsByAddress.get(address) ?? 0;
  }

  addSession(address: string): void {
    this.sessions++;
    this.#sessionsByAddress.set(address, this.sessionsOf(address) + 1);
  }

  removeSession(address: string): void {
    this.sessions--;
    const left = this.sessionsOf(address) - 1;
    if (left > 0) this.#sessionsByAddress.set(address, left);
    else this.#sessionsByAddress.delete(address);
  }

  rateOf(address: string, limit: BucketRate, now: number): TokenBucket {
    return this.#rates.of(address, limit, now);
  }
}

/**
 * Token buckets by address in two generations: the older one is dropped when the younger is full, or when every bucket in it has had
 * the time to fill up. Dropping entries one by one would cost more and more, because a Map keeps the places of deleted keys for a while.
 */
class AddressRates {
  #young = new Map<string, TokenBucket>();
  #old = new Map<string, TokenBucket>();
  #turnedAt = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  of(address: string, limit: BucketRate, now: number): TokenBucket {
    const known = this.#young.get(address);
    if (known !== undefined) return known;
    const bucket = this.#old.get(address) ?? new TokenBucket();
    const fillMs = (limit.burst / limit.rate) * 1_000;
    if (this.#young.size >= mostBuckets || now - this.#turnedAt >= fillMs) this.#turn(now);
    this.#old.delete(address);
    this.#young.set(address, bucket);
    return bucket;
  }

  #turn(now: number): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnedAt = now;
  }
}
