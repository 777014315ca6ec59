import { Timed, type TimerWheel } from "./timer-wheel.ts";

/** The one that a deadline is for. */
export interface DeadlineOwner {
  onTooLate(): void;
}

/**
 * A deadline that is set anew all the time, as a connection does for every request. It is not moved on the wheel but looks again when it
 * fires, so that a thousand requests a second arm it about once a minute.
 */
export class Deadline extends Timed {
  readonly #wheel: TimerWheel;
  readonly #owner: DeadlineOwner;
  #dueAt = Number.POSITIVE_INFINITY;
  #armedFor = 0;

  constructor(wheel: TimerWheel, owner: DeadlineOwner) {
    super();
    this.#wheel = wheel;
    this.#owner = owner;
  }

  /** From now on `ms` milliseconds are left; it never passes early, and at most three ticks late. */
  set(ms: number): void {
    // The time of the last tick, and one tick more, instead of asking the clock several times for each request.
    this.#dueAt = this.#wheel.now + this.#wheel.tickMs + ms;
    if (this.isArmed && this.#armedFor <= this.#dueAt) return;
    this.#armedFor = this.#dueAt;
    this.#wheel.arm(this, ms + this.#wheel.tickMs);
  }

  /** Nothing is waited for. The timer may still wake once, for nothing. */
  clear(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  /** Nothing will be waited for any more. */
  [Symbol.dispose](): void {
    this.clear();
    this.#wheel.disarm(this);
  }

  /** Looks whether the time that was set last has come. */
  fire(): void {
    const left = this.#dueAt - this.#wheel.clock();
    if (left === Number.POSITIVE_INFINITY) return;
    if (left > 0) {
      this.#armedFor = this.#dueAt;
      this.#wheel.arm(this, left);
      return;
    }
    this.clear();
    this.#owner.onTooLate();
  }
}
