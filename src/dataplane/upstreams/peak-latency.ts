/** After so long a figure counts a third of what it did (ms). */
const fadeMs = 10_000;
/** What a failure counts as, at the least (ms): who refuses at once must not look quick. */
const failureMs = 1000;

/** How long answers take of late: a moving average that follows a rise at once and a fall slowly (peak EWMA). */
export class PeakLatency {
  readonly #clock: () => number;
  #ms = 0;
  #at = 0;

  /** `clock` gives milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Milliseconds; 0 while nothing is known. It fades while nothing is heard, so that who was slow is tried again. */
  get ms(): number {
    return this.#ms === 0 ? 0 : this.#ms * Math.exp((this.#at - this.#clock()) / fadeMs);
  }

  answered(ms: number): void {
    const faded = this.ms;
    const now = this.#clock();
    const old = Math.exp((this.#at - now) / fadeMs);
    this.#ms = Math.max(ms > faded ? ms : this.#ms * old + ms * (1 - old), Number.MIN_VALUE);
    this.#at = now;
  }

  failed(ms: number): void {
    this.answered(Math.max(ms, failureMs));
  }
}
