import { expect, test } from "bun:test";
import { areUniform, closingTimes } from "../../test/support/closing-times.ts";
import { SessionBench } from "../../test/support/session-bench.ts";
import { TimerWheel } from "../kit/timer-wheel.ts";
import { DrainOrders } from "./drain-orders.ts";

test("AC-2.3: the drain of a route closes its 10,000 sessions at uniformly random moments, and no others", () => {
  const wheel = new TimerWheel({ clock: "simulated" });
  const windowMs = 30_000;
  const benchOf = (route: string) =>
    new SessionBench({ wheel, keepalive: { pingMs: 0, misses: 1 }, identity: { route } });
  const benches = Array.from({ length: 20_000 }, (_, at) => benchOf(at % 2 === 0 ? "chat" : "feed"));
  const drains = new DrainOrders({ sessions: benches.map(({ session }) => session), wheel });
  drains.use([{ scope: { route: "chat" }, startedAt: Date.now(), plan: { windowMs, code: 1012, reason: "" } }]);
  const times = closingTimes(benches, { wheel, windowMs });
  expect(times.length).toBe(benches.length / 2);
  expect(benches.some(({ session }) => session.identity.route === "feed" && session.isClosing)).toBe(false);
  expect(areUniform(times, windowMs)).toBe(true);
});
