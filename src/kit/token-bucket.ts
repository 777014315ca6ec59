/** `rate` tokens a second, at most `burst` (1 or more) at once. */
export type BucketRate = { readonly rate: number; readonly burst: number };

/** A token bucket that is full at first. The rate is given with every question, so that a new setting takes effect at once. */
export class TokenBucket {
  /** Missing tokens instead of present ones: then a fresh bucket is full at any rate. */
  #missing = 0;
  #countedAt = Number.NEGATIVE_INFINITY;

  /** How long until there is a token (ms); 0 if there is one now. `now` is a monotonic clock in ms. */
  waitMs(limit: BucketRate, now: number): number {
    this.#refill(limit, now);
    const lacking = this.#missing + 1 - limit.burst;
    // A sum of fractions may fall short of a whole token by a rounding error.
    return lacking <= 1e-6 ? 0 : (lacking / limit.rate) * 1_000;
  }

  /** Takes a token; the caller has asked `waitMs` before. */
  take(): void {
    this.#missing++;
  }

  /** A full bucket says no more than none at all. */
  isFull(limit: BucketRate, now: number): boolean {
    this.#refill(limit, now);
    return this.#missing === 0;
  }

  #refill(limit: BucketRate, now: number): void {
    const elapsedMs = now - this.#countedAt;
    if (elapsedMs > 0) this.#missing = Math.max(0, this.#missing - (elapsedMs * limit.rate) / 1_000);
    this.#missing = Math.min(this.#missing, limit.burst);
    this.#countedAt = Math.max(this.#countedAt, now);
  }
}
