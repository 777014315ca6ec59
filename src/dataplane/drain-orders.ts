import { type DrainOrder, isConcerned, keyOfScope } from "../core/drain-order.ts";
import type { TimerWheel } from "../kit/timer-wheel.ts";
import { Drain } from "./drain.ts";
import type { Session } from "./relay/session.ts";

/** Whose sessions orders concern, and on which clock. */
export type DrainOrdersOptions = { readonly sessions: Iterable<Session>; readonly wheel: TimerWheel };

type Running = { readonly order: DrainOrder; readonly drain: Drain };

/** The drains that somebody has asked for: of everything, of listeners, and of routes. */
export class DrainOrders {
  readonly #options: DrainOrdersOptions;
  #running: ReadonlyMap<string, Running> = new Map();

  constructor(options: DrainOrdersOptions) {
    this.#options = options;
  }

  get all(): readonly DrainOrder[] {
    return [...this.#running.values()].map(({ order }) => order);
  }

  /** True if everything is drained. */
  get areForAll(): boolean {
    return this.#running.has(keyOfScope({}));
  }

  /** These are in force from now on: new ones begin, and those that are gone leave open what is still open. */
  use(orders: readonly DrainOrder[]): void {
    const before = this.#running;
    this.#running = new Map(
      orders.map((order) => {
        const key = keyOfScope(order.scope);
        const known = before.get(key);
        return [key, known?.order.startedAt === order.startedAt ? known : this.#begin(order)];
      }),
    );
    for (const [key, running] of before) if (this.#running.get(key) !== running) running.drain.cancel();
  }

  /** A session that opens although it is drained: its handshake was under way when the drain began. */
  add(session: Session): void {
    if (this.#running.size === 0) return;
    for (const { order, drain } of this.#running.values()) {
      if (isConcerned(order.scope, session.identity)) drain.add(session);
    }
  }

  /** True if what comes this way gets no new session, and no further request on its connection. */
  concern(arrival: {
    readonly route: { readonly name: string };
    readonly listener: { readonly name: string };
  }): boolean {
    if (this.#running.size === 0) return false;
    const place = { route: arrival.route.name, listener: arrival.listener.name };
    for (const { order } of this.#running.values()) if (isConcerned(order.scope, place)) return true;
    return false;
  }

  /** True if a whole listener is drained. */
  concernListener(listener: string): boolean {
    return this.areForAll || this.#running.has(keyOfScope({ listener }));
  }

  #begin(order: DrainOrder): Running {
    const { sessions, wheel } = this.#options;
    const drain = new Drain({ plan: { ...order.plan, windowMs: windowLeft(order) }, why: "drain", wheel });
    for (const session of sessions) if (isConcerned(order.scope, session.identity)) drain.add(session);
    return { order, drain };
  }
}

/** Milliseconds; a clock that was set back must not make it longer than it was. */
function windowLeft({ startedAt, plan }: DrainOrder): number {
  return Math.min(plan.windowMs, Math.max(0, startedAt + plan.windowMs - Date.now()));
}
