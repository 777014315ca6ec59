import type { EjectionSettings } from "../../core/health-settings.ts";
import { Timer, type TimerWheel } from "../../kit/timer-wheel.ts";

/** What can go wrong with an endpoint's traffic, one after the other on the way of an exchange. */
export type TrafficStep = "connect" | "handshake" | "answer" | "session";

/** Who decides about ejections, and hears of them. */
export interface EjectionOwner {
  /** Undefined while nobody is ejected for anything. */
  readonly ejection: EjectionSettings | undefined;
  readonly wheel: TimerWheel;
  /** False if too many are out already. */
  mayEject(): boolean;
  onEjected(why: string, forMs: number): void;
  onBack(): void;
}

/** How often each step has failed. */
export type FailureCounts = { readonly [Step in TrafficStep]: number };

/** What its traffic says of the health of one endpoint; failures in a row eject it for a while. */
export class TrafficHealth {
  readonly #owner: EjectionOwner | undefined;
  readonly #failures = { connect: 0, handshake: 0, answer: 0, session: 0 };
  readonly #inARow = { connect: 0, handshake: 0, answer: 0, session: 0 };
  #rest: Timer | undefined;
  #ejections = 0;
  #ejectionsInARow = 0;
  #backAt = Number.NEGATIVE_INFINITY;
  #isEjected = false;

  constructor(owner: EjectionOwner | undefined) {
    this.#owner = owner;
  }

  get failures(): FailureCounts {
    return this.#failures;
  }

  /** How often it was ejected. */
  get ejections(): number {
    return this.#ejections;
  }

  succeeded(step: TrafficStep): void {
    this.#inARow[step] = 0;
  }

  failed(step: TrafficStep): void {
    this.#failures[step]++;
    const inARow = ++this.#inARow[step];
    const owner = this.#owner;
    if (owner?.ejection === undefined || this.#isEjected) return;
    const limit = limitOf(owner.ejection, step);
    if (limit === 0 || inARow < limit || !owner.mayEject()) return;
    this.#eject(owner, owner.ejection, `${inARow} ${namesOf[step]} in a row failed`);
  }

  /** Ends an ejection before its time. */
  pardon(): void {
    if (!this.#isEjected || this.#owner === undefined || this.#rest === undefined) return;
    this.#owner.wheel.disarm(this.#rest);
    this.#comeBack(this.#owner);
  }

  #eject(owner: EjectionOwner, settings: EjectionSettings, why: string): void {
    const { wheel } = owner;
    // Whoever behaved for as long as the longest ejection takes begins anew.
    if (wheel.clock() - this.#backAt > settings.longestMs) this.#ejectionsInARow = 0;
    this.#ejections++;
    this.#ejectionsInARow++;
    this.#isEjected = true;
    for (const step of steps) this.#inARow[step] = 0;
    const forMs = Math.min(settings.timeMs * this.#ejectionsInARow, settings.longestMs);
    this.#rest ??= new Timer(() => this.#comeBack(owner));
    wheel.arm(this.#rest, forMs);
    owner.onEjected(why, forMs);
  }

  #comeBack(owner: EjectionOwner): void {
    this.#isEjected = false;
    this.#backAt = owner.wheel.clock();
    for (const step of steps) this.#inARow[step] = 0;
    owner.onBack();
  }
}

const steps: readonly TrafficStep[] = ["connect", "handshake", "answer", "session"];

const namesOf: Readonly<Record<TrafficStep, string>> = {
  connect: "connects",
  handshake: "handshakes",
  answer: "requests",
  session: "young sessions",
};

function limitOf(settings: EjectionSettings, step: TrafficStep): number {
  switch (step) {
    case "connect":
      return settings.connects;
    case "handshake":
      return settings.handshakes;
    case "answer":
      return settings.errors;
    case "session":
      return settings.sessions;
  }
}
