import type { CloseOrder } from "../core/handover.ts";
import type { DrainPlan } from "../core/worker-protocol.ts";
import { Timer, type TimerWheel } from "../kit/timer-wheel.ts";
import type { Session } from "./relay/session.ts";

/** What can be given a Close by and by. */
export type Ending = Pick<Session, "close" | "due">;

/** Ends sessions with Close frames at uniformly random moments of a window, so that their clients do not come back all at once. */
export class Drain {
  readonly #plan: Pick<DrainPlan, "windowMs" | "code" | "reason">;
  readonly #why: "drain" | "config";
  readonly #wheel: TimerWheel;
  readonly #until: number;
  #isCancelled = false;

  constructor(options: {
    plan: Pick<DrainPlan, "windowMs" | "code" | "reason">;
    why: "drain" | "config";
    wheel: TimerWheel;
  }) {
    this.#plan = options.plan;
    this.#why = options.why;
    this.#wheel = options.wheel;
    this.#until = options.wheel.clock() + options.plan.windowMs;
  }

  /** The session gets its Close within what is left of the window. */
  add(session: Ending): void {
    const now = this.#wheel.clock();
    const inMs = Math.random() * Math.max(0, this.#until - now);
    const timer = new Timer(() => this.#close(session));
    this.#wheel.arm(timer, inMs);
    // Other drains are told to whoever takes the session over; of a change of the configuration nobody knows any more.
    if (this.#why === "config") session.due = { at: now + inMs, order: this.#order, holds: () => !this.#isCancelled };
  }

  get #order(): CloseOrder {
    return { reason: this.#why, code: this.#plan.code, text: this.#plan.reason };
  }

  /** Those that have not got their Close yet keep their sessions. */
  cancel(): void {
    this.#isCancelled = true;
  }

  #close(session: Ending): void {
    if (this.#isCancelled) return;
    session.close(this.#order);
  }
}
