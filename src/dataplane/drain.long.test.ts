import { expect, test } from "bun:test";
import { areUniform, closingTimes } from "../../test/support/closing-times.ts";
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
  const times = closingTimes(benches, { wheel, windowMs });
  expect(times.length).toBe(benches.length);
  expect(areUniform(times, windowMs)).toBe(true);
});
