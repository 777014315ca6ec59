import { expect, test } from "bun:test";
import { Random } from "../../test/support/random.ts";
import type { UpstreamSettings } from "../core/snapshot.ts";
import { Timer, TimerWheel } from "../kit/timer-wheel.ts";
import { type Movable, Rebalancing } from "./rebalancing.ts";
import type { Lease } from "./upstreams/lease.ts";
import type { Pooled } from "./upstreams/pool.ts";
import { Upstream } from "./upstreams/upstream.ts";

const stepMs = 5000;
const sessions = 2000;
/** Of all sessions, those that end within a minute. */
const churnPerMinute = 0.05;

/** A session whose client comes back within five seconds of its end. */
class Visit implements Movable {
  isClosing = false;
  due: Movable["due"];
  readonly #lease: Lease<Pooled>;
  readonly #onEnd: (visit: Visit) => void;

  constructor(lease: Lease<Pooled>, onEnd: (visit: Visit) => void) {
    this.#lease = lease;
    this.#onEnd = onEnd;
  }

  get identity(): Movable["identity"] {
    return { upstream: "app", endpoint: this.#lease.endpoint.address };
  }

  close(): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.#lease[Symbol.dispose]();
    this.#onEnd(this);
  }
}

/** Sessions of an upstream with two endpoints, which gets two more. */
class ScaleOut {
  readonly #wheel = new TimerWheel({ clock: "simulated" });
  readonly #random: Random;
  readonly #upstream: Upstream<Pooled>;
  readonly #visits = new Set<Visit>();
  readonly #rebalancing = new Rebalancing({ sessions: this.#visits, wheel: this.#wheel });
  readonly #rebalance: UpstreamSettings["rebalance"];

  constructor(seed: number, rebalance: UpstreamSettings["rebalance"]) {
    this.#random = new Random(seed);
    this.#rebalance = rebalance;
    this.#upstream = new Upstream<Pooled>(this.#settings(2), { wheel: this.#wheel });
    for (let turn = 0; turn < sessions; turn++) this.#visit();
    this.#upstream.update(this.#settings(4));
  }

  /** The minutes until no endpoint has over 1.2 times as many sessions as another one; at most so many. */
  minutesUntilEven(most: number): number {
    for (let second = 0; second < most * 60; second++) {
      if (this.#ratio() <= 1.2) return second / 60;
      for (const visit of [...this.#visits]) if (this.#random.next() < churnPerMinute / 60) visit.close();
      if (second % (stepMs / 1000) === 0) this.#rebalancing.step([this.#upstream], stepMs);
      this.#wheel.advance(this.#wheel.clock() + 1000);
    }
    return most;
  }

  get rebalanced(): number {
    return this.#upstream.rebalanced;
  }

  #ratio(): number {
    const counts = this.#upstream.status.endpoints.map((endpoint) => endpoint.sessions);
    return Math.max(...counts) / Math.min(...counts);
  }

  #visit(): void {
    const lease = this.#upstream.lease("sessions", 0);
    this.#visits.add(
      new Visit(lease, (visit) => {
        this.#visits.delete(visit);
        this.#wheel.arm(new Timer(() => this.#visit()), this.#random.below(5000));
      }),
    );
  }

  #settings(count: number): UpstreamSettings {
    return {
      name: "app",
      endpoints: Array.from({ length: count }, (_, at) => ({ host: "10.0.0.1", port: 5000 + at, weight: 100 })),
      balance: "least-sessions",
      pool: { idle: 0, idleMs: 0 },
      ...(this.#rebalance === undefined ? {} : { rebalance: this.#rebalance }),
    };
  }
}

const asConfigured = { tolerance: 20, perSecond: 10, isDryRun: false };

test.each([1, 2, 3, 4, 5])(
  "AC-11.2: 2 endpoints become 4 under a churn of 5 percent a minute, and with rebalance they are even within 10 minutes (seed %d)",
  (seed) => {
    const run = new ScaleOut(seed, asConfigured);
    const minutes = run.minutesUntilEven(20);
    console.log(`even after ${minutes.toFixed(1)} minutes, ${run.rebalanced} of ${sessions} sessions closed for it`);
    expect(minutes).toBeLessThan(10);
    // No more than have to move.
    expect(run.rebalanced).toBeLessThan(0.5 * sessions);
  },
);

test("without rebalance every session that ends comes back to the new endpoints, and that takes as long as it takes", () => {
  const minutes = new ScaleOut(6, undefined).minutesUntilEven(20);
  console.log(`even after ${minutes.toFixed(1)} minutes without rebalance`);
  // 5/11 of the sessions have to move: ln(11/6) / 5 % a minute is 12.1 minutes, whoever gets the new ones.
  expect(minutes).toBeGreaterThan(10);
  expect(minutes).toBeLessThan(14);
});
