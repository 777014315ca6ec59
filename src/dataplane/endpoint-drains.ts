import type { DrainTerms } from "../core/drain-order.ts";
import type { EndpointState, EndpointVerdict } from "../core/endpoint-state.ts";
import { Timer, type TimerWheel } from "../kit/timer-wheel.ts";
import { Drain } from "./drain.ts";
import type { Session } from "./relay/session.ts";
import type { EndpointChange } from "./upstreams/upstream.ts";

/** How long after its window a drain still meets sessions whose handshake was under way when it began (ms). */
const latecomersMs = 60_000;

/** Whose sessions end with their endpoint, and on which clock. */
export type EndpointDrainsOptions = { readonly sessions: Iterable<Session>; readonly wheel: TimerWheel };

/** Ends the sessions of endpoints that go, and of those that are found dead where that is wanted. */
export class EndpointDrains {
  /** How sessions are ended where neither an operator nor their upstream says how long that takes. */
  terms: DrainTerms = { windowMs: 30_000, code: 1012, reason: "" };
  readonly #options: EndpointDrainsOptions;
  /** By `upstream address`. */
  readonly #drains = new Map<string, Drain>();
  /** What operators have said, by the same. */
  readonly #asked = new Map<string, DrainTerms>();

  constructor(options: EndpointDrainsOptions) {
    this.#options = options;
  }

  /** Hears what is said of endpoints before they change because of it. */
  hear(verdicts: readonly EndpointVerdict[]): void {
    for (const verdict of verdicts) {
      if (verdict.isDraining && verdict.drain !== undefined) this.#asked.set(keyOf(verdict), verdict.drain);
      else this.#asked.delete(keyOf(verdict));
    }
  }

  /** An endpoint that goes has its sessions ended; one that comes back before the end keeps those that are left. */
  onChange(change: EndpointChange): void {
    const { before, state, settings } = change;
    if (isGoing(state) && !isGoing(before)) this.#begin(change);
    else if (isGoing(before) && !isGoing(state)) this.#cancel(keyOf(change));
    if (state === "unhealthy" && settings.health?.onUnhealthy === "close") this.#closeAll(change);
  }

  /** A session that opens on an endpoint that is going. */
  add(session: Session): void {
    if (this.#drains.size === 0) return;
    const { upstream, endpoint } = session.identity;
    this.#drains.get(`${upstream} ${endpoint}`)?.add(session);
  }

  #begin(change: EndpointChange): void {
    const { drainMs } = change.settings;
    const asked = change.isAskedFor ? this.#asked.get(keyOf(change)) : undefined;
    if (asked === undefined && drainMs === null) return;
    const { wheel } = this.#options;
    const plan = asked ?? { ...this.terms, windowMs: drainMs ?? this.terms.windowMs };
    const drain = new Drain({ plan, why: change.isAskedFor ? "drain" : "config", wheel });
    const key = keyOf(change);
    this.#drains.set(key, drain);
    for (const session of this.#sessionsOf(change)) drain.add(session);
    const over = new Timer(() => {
      if (this.#drains.get(key) === drain) this.#drains.delete(key);
    });
    wheel.arm(over, plan.windowMs + latecomersMs);
  }

  #cancel(key: string): void {
    this.#drains.get(key)?.cancel();
    this.#drains.delete(key);
  }

  #closeAll(change: EndpointChange): void {
    const { code, reason } = this.terms;
    for (const session of this.#sessionsOf(change)) session.close({ reason: "unhealthy", code, text: reason });
  }

  #sessionsOf({ upstream, address }: EndpointChange): Session[] {
    return [...this.#options.sessions].filter(
      ({ identity }) => identity.upstream === upstream && identity.endpoint === address,
    );
  }
}

function isGoing(state: EndpointState): boolean {
  return state === "draining" || state === "leaving";
}

function keyOf({ upstream, address }: Pick<EndpointVerdict, "upstream" | "address">): string {
  return `${upstream} ${address}`;
}
