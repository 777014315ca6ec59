import { Timer, type TimerWheel } from "./timer-wheel.ts";

/**
 * A deadline that is set anew all the time, as a connection does for every request. Its timer is not moved but looks again when it
 * fires, so that a thousand requests a second arm it about once a minute.
 */
export class Deadline {
  readonly #wheel: TimerWheel;
  readonly #onPassed: () => void;
  readonly #timer = new Timer(() => this.#look());
  #dueAt = Number.POSITIVE_INFINITY;
  #armedFor = 0;

  constructor(wheel: TimerWheel, onPassed: () => void) {
    this.#wheel = wheel;
    this.#onPassed = onPassed;
  }

  /** From now on `ms` milliseconds are left; it never passes early, and at most two ticks late. */
  set(ms: number): void {
    this.#dueAt = this.#wheel.clock() + ms;
    if (this.#timer.isArmed && this.#armedFor <= this.#dueAt) return;
    this.#armedFor = this.#dueAt;
    this.#wheel.arm(this.#timer, ms);
  }

  /** Nothing is waited for. The timer may still wake once, for nothing. */
  clear(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  /** Nothing will be waited for any more. */
  [Symbol.dispose](): void {
    this.clear();
    this.#wheel.disarm(this.#timer);
  }

  #look(): void {
    const left = this.#dueAt - this.#wheel.clock();
    if (left === Number.POSITIVE_INFINITY) return;
    if (left > 0) {
      this.#armedFor = this.#dueAt;
      this.#wheel.arm(this.#timer, left);
      return;
    }
    this.clear();
    this.#onPassed();
  }
}
