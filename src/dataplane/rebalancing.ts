import type { RebalanceSettings } from "../core/balance-settings.ts";
import type { SessionIdentity } from "../core/handover.ts";
import type { DrainPlan } from "../core/worker-protocol.ts";
import type { TimerWheel } from "../kit/timer-wheel.ts";
import { Drain, type Ending } from "./drain.ts";

/** An upstream whose open sessions may be spread anew. */
export interface Rebalanced {
  readonly name: string;
  readonly rebalance: RebalanceSettings | undefined;
  /** How many sessions this worker has on each endpoint that has too many, and how many of these are too many. */
  readonly surplus: readonly Surplus[];
  /** How many were closed for it. */
  rebalanced: number;
}

/** `count` of this worker's sessions on an endpoint are too many. */
export type Surplus = { readonly address: string; readonly count: number };

/** A session that may be moved. */
export type Movable = Ending & {
  readonly identity: Pick<SessionIdentity, "upstream" | "endpoint">;
  readonly isClosing: boolean;
};

/** Whose sessions are moved, and on which clock. */
export type RebalancingOptions = { readonly sessions: Iterable<Movable>; readonly wheel: TimerWheel };

/**
 * Closes sessions of endpoints that have too many, the oldest first and a few at a time, so that their clients come back to others. Each step has
 * the time until the next one for its Close frames.
 */
export class Rebalancing {
  terms: Pick<DrainPlan, "code" | "reason"> = { code: 1012, reason: "" };
  readonly #options: RebalancingOptions;

  constructor(options: RebalancingOptions) {
    this.#options = options;
  }

  /** `forMs` is the time until the next step. */
  step(upstreams: Iterable<Rebalanced>, forMs: number): void {
    for (const upstream of upstreams) {
      const { rebalance } = upstream;
      if (rebalance === undefined || rebalance.isDryRun) continue;
      const { surplus } = upstream;
      const all = surplus.reduce((sum, { count }) => sum + count, 0);
      const most = Math.ceil((rebalance.perSecond * forMs) / 1000);
      let left = most;
      for (const { address, count } of surplus) {
        if (count === 0) continue;
        // Each endpoint gives in proportion to what it has too much.
        const part = Math.min(left, Math.ceil((most * count) / all));
        const closed = this.#close({ upstream: upstream.name, address, count, most: part }, forMs);
        left -= closed;
        upstream.rebalanced += closed;
      }
    }
  }

  #close(surplus: Surplus & { readonly upstream: string; readonly most: number }, forMs: number): number {
    const { sessions, wheel } = this.#options;
    const candidates: Movable[] = [];
    let closing = 0;
    for (const session of sessions) {
      if (session.identity.upstream !== surplus.upstream || session.identity.endpoint !== surplus.address) continue;
      if (session.isClosing) closing++;
      else candidates.push(session);
    }
    // Those that are closing already are still counted.
    const chosen = candidates.slice(0, Math.max(0, Math.min(surplus.count - closing, surplus.most)));
    // What gets its Close late in a step would be counted again in the next one.
    const drain = new Drain({ plan: { ...this.terms, windowMs: forMs * 0.8 }, why: "drain", wheel });
    for (const session of chosen) drain.add(session);
    return chosen.length;
  }
}
