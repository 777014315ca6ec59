import { expect, test } from "bun:test";
import type { SlowStartSettings } from "../../core/balance-settings.ts";
import type { EndpointVerdict } from "../../core/endpoint-state.ts";
import type { UpstreamSettings } from "../../core/snapshot.ts";
import { TimerWheel } from "../../kit/timer-wheel.ts";
import { Upstream } from "./upstream.ts";

function settings(count: number, more: Partial<UpstreamSettings> = {}): UpstreamSettings {
  return {
    name: "app",
    endpoints: Array.from({ length: count }, (_, at) => ({ host: "10.0.0.1", port: at + 1, weight: 100 })),
    balance: "round-robin",
    pool: { idle: 0, idleMs: 0 },
    ...more,
  };
}

const slowStart: SlowStartSettings = { ms: 10_000, floor: 10 };

/** How many of 300 leases each port gets. */
function countsOf(upstream: Upstream<never>): Map<number, number> {
  const counts = new Map<number, number>();
  for (let turn = 0; turn < 300; turn++) {
    using lease = upstream.lease("requests", 0);
    counts.set(lease.endpoint.port, (counts.get(lease.endpoint.port) ?? 0) + 1);
  }
  return counts;
}

function verdict(port: number, health: EndpointVerdict["health"]): EndpointVerdict {
  return { upstream: "app", address: `10.0.0.1:${port}`, health, isDraining: false, since: 0 };
}

function pass(wheel: TimerWheel, ms: number): void {
  const until = wheel.clock() + ms;
  while (wheel.clock() < until) wheel.advance(wheel.clock() + 50);
}

test("AC-11.4: an endpoint that is added gets a little at first, more by and by, and in the end as much as the others", () => {
  const wheel = new TimerWheel({ clock: "simulated" });
  const upstream = new Upstream<never>(settings(2, { slowStart }), { wheel });
  expect([...countsOf(upstream).values()]).toEqual([150, 150]);
  upstream.update(settings(3, { slowStart }));
  expect(countsOf(upstream).get(3)).toBeLessThan(20);
  pass(wheel, 5000);
  expect(countsOf(upstream).get(3)).toBeGreaterThan(50);
  expect(countsOf(upstream).get(3)).toBeLessThan(70);
  pass(wheel, 6000);
  expect(countsOf(upstream).get(3)).toBe(100);
  expect(wheel.armed).toBe(0);
});

test("AC-11.4: an endpoint that is healthy again starts slowly too, and one that was never out does not", () => {
  const wheel = new TimerWheel({ clock: "simulated" });
  const upstream = new Upstream<never>(settings(2, { slowStart }), { wheel });
  upstream.judge(verdict(1, "healthy"));
  expect(countsOf(upstream).get(1)).toBe(150);
  upstream.judge(verdict(1, "unhealthy"));
  expect(countsOf(upstream).get(1)).toBeUndefined();
  upstream.judge(verdict(1, "healthy"));
  expect(countsOf(upstream).get(1)).toBeLessThan(35);
  pass(wheel, 11_000);
  expect(countsOf(upstream).get(1)).toBe(150);
});

test("turns go on over a change of the configuration, so that nobody gets the first turn again and again", () => {
  const upstream = new Upstream<never>(settings(3));
  const ports: number[] = [];
  for (let turn = 0; turn < 6; turn++) {
    using lease = upstream.lease("requests", 0);
    ports.push(lease.endpoint.port);
    upstream.update(settings(3, { pool: { idle: turn, idleMs: 0 } }));
  }
  expect(ports.slice(0, 3).toSorted()).toEqual([1, 2, 3]);
  expect(ports.slice(3)).toEqual(ports.slice(0, 3));
});
