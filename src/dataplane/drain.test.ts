import { expect, test } from "bun:test";
import { SessionBench } from "../../test/support/session-bench.ts";
import { TimerWheel } from "../kit/timer-wheel.ts";
import { Drain } from "./drain.ts";

test("AC-2.1: a drain closes 10,000 sessions at uniformly random moments of its window", () => {
  const wheel = new TimerWheel({ clock: "simulated" });
  const windowMs = 30_000;
  const drain = new Drain({ plan: { windowMs, code: 1012, reason: "" }, why: "drain", wheel });
  const benches = Array.from(
    { length: 10_000 },
    () => new SessionBench({ wheel, keepalive: { pingMs: 0, misses: 1 } }),
  );
  for (const bench of benches) drain.add(bench.session);
  const closedAt = new Map<SessionBench, number>();
  for (let at = 25; at <= windowMs + 50; at += 25) {
    wheel.advance(at);
    for (const bench of benches) if (!closedAt.has(bench) && bench.session.isClosing) closedAt.set(bench, at);
  }
  expect(closedAt.size).toBe(benches.length);
  const times = [...closedAt.values()].sort((a, b) => a - b);
  const distance = Math.max(...times.map((at, index) => Math.abs(at / windowMs - (index + 0.5) / times.length)));
  // Kolmogorov-Smirnov at a level of one in a million: sqrt(-ln(1e-6 / 2) / 2 / n).
  expect(distance).toBeLessThan(0.027 + 25 / windowMs);
});
