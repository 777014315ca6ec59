import { expect, test } from "bun:test";
import type { EndpointVerdict, UpstreamNotice } from "../../core/endpoint-state.ts";
import type { EjectionSettings } from "../../core/health-settings.ts";
import type { UpstreamSettings } from "../../core/snapshot.ts";
import { TimerWheel } from "../../kit/timer-wheel.ts";
import type { TrafficStep } from "./traffic-health.ts";
import { type EndpointChange, Upstream } from "./upstream.ts";

const ejection: EjectionSettings = {
  connects: 3,
  handshakes: 2,
  errors: 0,
  sessions: 2,
  sessionAgeMs: 1000,
  timeMs: 30_000,
  longestMs: 70_000,
  most: 50,
};

type Shape = { readonly panic?: number; readonly weights?: readonly number[]; readonly ejection?: EjectionSettings };

function settings(count: number, shape: Shape = {}): UpstreamSettings {
  return {
    name: "app",
    endpoints: Array.from({ length: count }, (_, at) => ({
      host: "10.0.0.1",
      port: at + 1,
      weight: shape.weights?.[at] ?? 100,
    })),
    balance: "round-robin",
    pool: { idle: 0, idleMs: 0 },
    health: { panic: shape.panic ?? 10, onUnhealthy: "keep", ejection: shape.ejection ?? ejection },
  };
}

function verdict(port: number, more: Partial<EndpointVerdict>): EndpointVerdict {
  return { upstream: "app", address: address(port), health: "unchecked", isDraining: false, since: 0, ...more };
}

function address(port: number): string {
  return `10.0.0.1:${port}`;
}

/** An upstream whose endpoints 1, 2, … are offered in turn, on a clock that the test moves. */
class Bench {
  readonly wheel = new TimerWheel({ clock: "simulated" });
  readonly changes: EndpointChange[] = [];
  readonly notices: UpstreamNotice[] = [];
  readonly upstream: Upstream<never>;

  constructor(wanted: UpstreamSettings) {
    this.upstream = new Upstream(wanted, {
      wheel: this.wheel,
      onChange: (change) => this.changes.push(change),
      onNotice: (notice) => this.notices.push(notice),
    });
  }

  /** The ports that get something new, in order. */
  get offered(): number[] {
    const found = new Set<number>();
    for (let turn = 0; turn < 20; turn++) {
      using lease = this.upstream.lease("requests", 0);
      found.add(lease.endpoint.port);
    }
    return [...found].sort();
  }

  fail(port: number, step: TrafficStep, times: number): void {
    for (let time = 0; time < times; time++) this.upstream.find(address(port))?.traffic.failed(step);
  }

  state(port: number): string | undefined {
    return this.upstream.status.endpoints.find((endpoint) => endpoint.address === address(port))?.state;
  }
}

test("what fails its checks is not offered until it passes them again", () => {
  const bench = new Bench(settings(3));
  expect(bench.offered).toEqual([1, 2, 3]);
  bench.upstream.judge(verdict(2, { health: "unhealthy", why: "the status is 503" }));
  expect(bench.offered).toEqual([1, 3]);
  expect(bench.upstream.status.endpoints[1]).toMatchObject({ state: "unhealthy", why: "the status is 503" });
  bench.upstream.judge(verdict(2, { health: "healthy" }));
  expect(bench.offered).toEqual([1, 2, 3]);
});

test("an endpoint that is suspected is passed over while at least half are not, and does not start slowly afterwards", () => {
  const bench = new Bench({ ...settings(4), slowStart: { ms: 10_000, floor: 10 } });
  const suspect = (port: number, isSuspected: boolean): void =>
    bench.upstream.judge(verdict(port, { health: "healthy", isSuspected, why: isSuspected ? "no answer" : "" }));
  for (const port of [1, 2, 3, 4]) suspect(port, false);
  suspect(2, true);
  expect(bench.offered).toEqual([1, 3, 4]);
  expect(bench.upstream.status.endpoints[1]).toMatchObject({ state: "suspected", why: "no answer" });
  suspect(3, true);
  expect(bench.offered).toEqual([1, 4]);
  suspect(4, true);
  expect(bench.offered).toEqual([1, 2, 3, 4]);
  expect(bench.upstream.status.isPanicking).toBe(false);
  for (const port of [2, 3, 4]) suspect(port, false);
  expect(bench.offered).toEqual([1, 2, 3, 4]);
  expect(bench.upstream.find(address(2))?.share).toBe(100);
});

test("an endpoint that drains is not offered, not even in panic, and is when that is taken back", () => {
  const bench = new Bench(settings(2));
  bench.upstream.judge(verdict(1, { isDraining: true }));
  bench.upstream.judge(verdict(2, { health: "unhealthy" }));
  expect(bench.offered).toEqual([2]);
  expect(bench.upstream.status).toMatchObject({
    isPanicking: true,
    endpoints: [{ why: "drained by an operator" }, {}],
  });
  bench.upstream.judge(verdict(1, { isDraining: false }));
  expect(bench.offered).toEqual([1]);
});

test("an endpoint of weight 0 drains, and says why", () => {
  const bench = new Bench(settings(2, { weights: [100, 0] }));
  expect(bench.offered).toEqual([1]);
  expect(bench.upstream.status.endpoints[1]).toMatchObject({ state: "draining", why: "its weight is 0" });
});

test("verdicts outlive a change of the configuration", () => {
  const bench = new Bench(settings(3));
  bench.upstream.judge(verdict(3, { health: "unhealthy" }));
  bench.upstream.update(settings(3, { panic: 20 }));
  expect(bench.state(3)).toBe("unhealthy");
  expect(bench.offered).toEqual([1, 2]);
});

test("with fewer usable endpoints than the share for panic all are offered, and this is said", () => {
  const bench = new Bench(settings(4, { panic: 50 }));
  for (const port of [1, 2]) bench.upstream.judge(verdict(port, { health: "unhealthy" }));
  expect(bench.offered).toEqual([3, 4]);
  bench.upstream.judge(verdict(3, { health: "unhealthy" }));
  expect(bench.offered).toEqual([1, 2, 3, 4]);
  bench.upstream.judge(verdict(3, { health: "healthy" }));
  expect(bench.offered).toEqual([3, 4]);
  expect(bench.notices).toEqual([
    { event: "upstream-panic", upstream: "app", usable: 1, of: 4 },
    { event: "upstream-calm", upstream: "app", usable: 2, of: 4 },
  ]);
});

test("a panic share of 0 offers nothing where nothing is healthy", () => {
  const bench = new Bench(settings(1, { panic: 0 }));
  bench.upstream.judge(verdict(1, { health: "unhealthy" }));
  expect(() => bench.upstream.lease("requests", 0)).toThrow("no endpoint to offer");
});

const steps: readonly { step: TrafficStep; limit: number; why: string }[] = [
  { step: "connect", limit: 3, why: "3 connects in a row failed" },
  { step: "handshake", limit: 2, why: "2 handshakes in a row failed" },
  { step: "session", limit: 2, why: "2 young sessions in a row failed" },
];

test.each(steps)("$limit failures of the kind $step in a row eject an endpoint for a while", ({ step, limit, why }) => {
  const bench = new Bench(settings(2));
  bench.fail(1, step, limit - 1);
  bench.upstream.find(address(1))?.traffic.succeeded(step);
  bench.fail(1, step, limit - 1);
  expect(bench.offered).toEqual([1, 2]);
  bench.fail(1, step, 1);
  expect(bench.offered).toEqual([2]);
  expect(bench.upstream.status.endpoints[0]).toMatchObject({ state: "ejected", why, ejections: 1 });
  bench.wheel.advance(29_900);
  expect(bench.offered).toEqual([2]);
  bench.wheel.advance(30_100);
  expect(bench.offered).toEqual([1, 2]);
  expect(bench.notices.map(({ event }) => event)).toEqual(["endpoint-ejected", "endpoint-back"]);
});

test("checks that are good again end an ejection, and checks that were good all the time do not", () => {
  const bench = new Bench(settings(2));
  bench.upstream.judge(verdict(1, { health: "healthy" }));
  bench.fail(1, "connect", 3);
  bench.upstream.judge(verdict(1, { health: "healthy" }));
  expect(bench.state(1)).toBe("ejected");
  bench.upstream.judge(verdict(1, { health: "unhealthy" }));
  expect(bench.state(1)).toBe("unhealthy");
  bench.upstream.judge(verdict(1, { health: "healthy" }));
  expect(bench.state(1)).toBe("healthy");
  bench.wheel.advance(100_000);
  expect(bench.notices.map(({ event }) => event)).toEqual(["endpoint-ejected", "endpoint-back"]);
});

test("what is counted as 0 ejects nobody", () => {
  const bench = new Bench(settings(2));
  bench.fail(1, "answer", 1000);
  expect(bench.offered).toEqual([1, 2]);
  expect(bench.upstream.status.endpoints[0]).toMatchObject({ answerFailures: 1000, ejections: 0 });
});

test("ejections in a row take longer, up to the longest, and good behaviour is remembered", () => {
  const bench = new Bench(settings(2));
  const eject = (): number => {
    bench.fail(1, "connect", 3);
    const notice = bench.notices.at(-1);
    return notice?.event === "endpoint-ejected" ? notice.forMs : 0;
  };
  expect(eject()).toBe(30_000);
  bench.wheel.advance(31_000);
  expect(eject()).toBe(60_000);
  bench.wheel.advance(92_000);
  expect(eject()).toBe(70_000);
  bench.wheel.advance(163_000);
  bench.wheel.advance(240_000);
  expect(bench.state(1)).toBe("unchecked");
  expect(eject()).toBe(30_000);
});

test("never more than the share are out at once", () => {
  const bench = new Bench(settings(5));
  for (const port of [1, 2, 3, 4, 5]) bench.fail(port, "connect", 3);
  expect([1, 2, 3, 4, 5].filter((port) => bench.state(port) === "ejected")).toEqual([1, 2]);
  const alone = new Bench(settings(1));
  alone.fail(1, "connect", 100);
  expect(alone.offered).toEqual([1]);
});

test("a session that dies young counts as one, and an older one or another end takes that back", () => {
  const bench = new Bench(settings(2));
  bench.upstream.sessionEnded(address(1), { isLost: true, ageMs: 999 });
  bench.upstream.sessionEnded(address(1), { isLost: true, ageMs: 1001 });
  bench.upstream.sessionEnded(address(1), { isLost: true, ageMs: 10 });
  bench.upstream.sessionEnded(address(1), { isLost: false, ageMs: 10 });
  bench.upstream.sessionEnded(address(1), { isLost: true, ageMs: 10 });
  expect(bench.state(1)).toBe("unchecked");
  bench.upstream.sessionEnded(address(1), { isLost: true, ageMs: 10 });
  expect(bench.state(1)).toBe("ejected");
});

test("changes of state are told with what was before", () => {
  const bench = new Bench(settings(2));
  bench.upstream.judge(verdict(1, { isDraining: true }));
  bench.upstream.update(settings(0));
  const told = bench.changes.map(({ address: of, before, state, isAskedFor }) => [of, before, state, isAskedFor]);
  expect(told).toEqual([
    [address(1), "unchecked", "draining", true],
    [address(1), "draining", "leaving", true],
    [address(2), "unchecked", "leaving", false],
  ]);
});
