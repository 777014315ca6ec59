import { expect, test } from "bun:test";
import { Deadline } from "./deadline.ts";
import { TimerWheel } from "./timer-wheel.ts";

function watched() {
  const wheel = new TimerWheel({ clock: "simulated" });
  const passedAt: number[] = [];
  const deadline = new Deadline(wheel, { onTooLate: () => passedAt.push(wheel.clock()) });
  return { wheel, deadline, passedAt };
}

test("a deadline that is set again and again passes once, when the last one is due", () => {
  const { wheel, deadline, passedAt } = watched();
  for (let at = 0; at < 10_000; at += 100) {
    wheel.advance(at);
    deadline.set(1000);
  }
  wheel.advance(60_000);
  expect(passedAt.length).toBe(1);
  expect(passedAt[0]).toBeGreaterThanOrEqual(10_900);
  expect(passedAt[0]).toBeLessThanOrEqual(10_950);
});

test("a shorter deadline is not kept waiting by a longer one before it", () => {
  const { wheel, deadline, passedAt } = watched();
  deadline.set(60_000);
  deadline.set(100);
  wheel.advance(200);
  expect(passedAt.length).toBe(1);
});

test("a cleared deadline does not pass, and can be set anew", () => {
  const { wheel, deadline, passedAt } = watched();
  deadline.set(100);
  deadline.clear();
  wheel.advance(1000);
  expect(passedAt).toEqual([]);
  deadline.set(100);
  wheel.advance(2000);
  expect(passedAt.length).toBe(1);
});

test("a disposed deadline leaves nothing armed", () => {
  const { wheel, deadline } = watched();
  deadline.set(100);
  deadline[Symbol.dispose]();
  expect(wheel.armed).toBe(0);
});
