/** What may be saved up for bad times, and what there is without any traffic. */
const mostSaved = 100;
const reserve = 10;

/**
 * How many more tries an upstream may get: a share of its exchanges, and one a second so that little traffic is tried again too. Without a
 * bound, retries would multiply the load of an upstream just when it cannot bear it.
 */
export class RetryBudget {
  readonly #clock: () => number;
  #saved = reserve;
  #refilledAt: number;

  /** `clock` gives milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
    this.#refilledAt = clock();
  }

  /** An exchange came, and `percent` of one may be tried again for it. */
  earn(percent: number): void {
    if (this.#saved < mostSaved) this.#saved += percent / 100;
  }

  /** Takes one more try, if there is one left. */
  take(): boolean {
    const now = this.#clock();
    if (this.#saved < reserve) this.#saved = Math.min(reserve, this.#saved + (now - this.#refilledAt) / 1000);
    this.#refilledAt = now;
    // A hundredth a hundred times is a little less than one.
    if (this.#saved < 1 - 1e-9) return false;
    this.#saved--;
    return true;
  }
}
