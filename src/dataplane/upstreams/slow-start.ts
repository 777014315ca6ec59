import type { SlowStartSettings } from "../../core/balance-settings.ts";
import { Timer, type TimerWheel } from "../../kit/timer-wheel.ts";

/** Something whose share can be a part of its weight. */
export interface Starter {
  /** 0 to 1. */
  readiness: number;
}

/** Raises the shares of those that are new or back, step by step in proportion to the time. */
export class SlowStart {
  readonly #wheel: TimerWheel;
  readonly #onStep: () => void;
  readonly #begun = new Map<Starter, number>();
  readonly #next: Timer;
  #settings: SlowStartSettings | undefined;

  /** `onStep` hears that shares have changed. */
  constructor(wheel: TimerWheel, onStep: () => void) {
    this.#wheel = wheel;
    this.#onStep = onStep;
    this.#next = new Timer(() => this.#step());
  }

  /** Who is starting goes on by new settings; without any, everybody has its full share at once. */
  set settings(settings: SlowStartSettings | undefined) {
    this.#settings = settings;
    if (this.#begun.size > 0) this.#step();
  }

  begin(starter: Starter): void {
    if (this.#settings === undefined) return;
    this.#begun.set(starter, this.#wheel.clock());
    this.#raise();
  }

  /** It does not take anything at present, or is gone. */
  forget(starter: Starter): void {
    starter.readiness = 1;
    this.#begun.delete(starter);
  }

  #step(): void {
    this.#raise();
    this.#onStep();
  }

  #raise(): void {
    const { ms, floor } = this.#settings ?? { ms: 0, floor: 100 };
    const now = this.#wheel.clock();
    for (const [starter, since] of this.#begun) {
      starter.readiness = ms === 0 ? 1 : Math.min(1, Math.max(floor / 100, (now - since) / ms));
      if (starter.readiness === 1) this.#begun.delete(starter);
    }
    if (this.#begun.size > 0) this.#wheel.arm(this.#next, Math.min(1000, Math.max(50, ms / 50)));
  }
}
