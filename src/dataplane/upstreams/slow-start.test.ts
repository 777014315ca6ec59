import { expect, test } from "bun:test";
import { TimerWheel } from "../../kit/timer-wheel.ts";
import { SlowStart } from "./slow-start.ts";

/** Time that passes in small steps, as it does. */
function pass(wheel: TimerWheel, ms: number): void {
  const until = wheel.clock() + ms;
  while (wheel.clock() < until) wheel.advance(wheel.clock() + 50);
}

test("AC-11.4: a share rises from its floor in proportion to the time, and then nothing is waited for", () => {
  const wheel = new TimerWheel({ clock: "simulated" });
  let steps = 0;
  const slowStart = new SlowStart(wheel, () => steps++);
  const starter = { readiness: 1 };
  slowStart.begin(starter);
  expect(starter.readiness).toBe(1);
  slowStart.settings = { ms: 10_000, floor: 10 };
  slowStart.begin(starter);
  expect(starter.readiness).toBe(0.1);
  pass(wheel, 5000);
  expect(starter.readiness).toBeCloseTo(0.5, 1);
  pass(wheel, 5200);
  expect(starter.readiness).toBe(1);
  expect(steps).toBeGreaterThan(20);
  expect(wheel.armed).toBe(0);
});

test("AC-11.4: who goes while it starts begins anew, and settings that go end every slow start", () => {
  const wheel = new TimerWheel({ clock: "simulated" });
  const slowStart = new SlowStart(wheel, () => {});
  const [one, other] = [{ readiness: 1 }, { readiness: 1 }];
  slowStart.settings = { ms: 10_000, floor: 10 };
  slowStart.begin(one);
  slowStart.begin(other);
  pass(wheel, 5000);
  slowStart.forget(one);
  slowStart.begin(one);
  expect(one.readiness).toBe(0.1);
  expect(other.readiness).toBeCloseTo(0.5, 1);
  slowStart.settings = undefined;
  expect([one.readiness, other.readiness]).toEqual([1, 1]);
});
