/** How long to wait between tries. Milliseconds. */
export type BackoffPlan = {
  readonly firstMs: number;
  readonly mostMs: number;
  /** After this long without a failure the waits begin at `firstMs` again. */
  readonly calmMs: number;
};

/** Waits that double with every failure, up to a limit, and start over after a calm time. */
export class Backoff {
  readonly #plan: BackoffPlan;
  readonly #random: () => number;
  #failures = 0;
  #lastFailureAt = Number.NEGATIVE_INFINITY;

  constructor(plan: BackoffPlan, random: () => number = Math.random) {
    this.#plan = plan;
    this.#random = random;
  }

  /** The wait after a failure at `now` (milliseconds of any steady clock): between half of the step and all of it. */
  next(now: number): number {
    const { firstMs, mostMs, calmMs } = this.#plan;
    if (now - this.#lastFailureAt > calmMs) this.#failures = 0;
    this.#lastFailureAt = now;
    const step = Math.min(mostMs, firstMs * 2 ** this.#failures);
    // Past 2 ** 30 the step no longer grows, and the power must not overflow.
    this.#failures = Math.min(30, this.#failures + 1);
    return step / 2 + (step / 2) * this.#random();
  }
}
