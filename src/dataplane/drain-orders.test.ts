import { expect, test } from "bun:test";
import { SessionBench } from "../../test/support/session-bench.ts";
import type { DrainOrder, DrainScope } from "../core/drain-order.ts";
import { TimerWheel } from "../kit/timer-wheel.ts";
import { DrainOrders } from "./drain-orders.ts";

const windowMs = 30_000;
const plan = { windowMs, code: 1012, reason: "" };
const keepalive = { pingMs: 0, misses: 1 };

function order(scope: DrainScope, more: Partial<DrainOrder> = {}): DrainOrder {
  return { scope, startedAt: Date.now(), plan, ...more };
}

/** Sessions of two routes, in turn. */
function site(count: number) {
  const wheel = new TimerWheel({ clock: "simulated" });
  const benches = Array.from(
    { length: count },
    (_, at) => new SessionBench({ wheel, keepalive, identity: { route: at % 2 === 0 ? "chat" : "feed" } }),
  );
  const drains = new DrainOrders({ sessions: benches.map(({ session }) => session), wheel });
  const closing = (route: string): number =>
    benches.filter(({ session }) => session.identity.route === route && session.isClosing).length;
  return { wheel, benches, drains, closing };
}

test("what is drained gets no new sessions, before and after its window, until that is taken back", () => {
  const { wheel, drains } = site(2);
  const arrival = (route: string, listener: string) => ({ route: { name: route }, listener: { name: listener } });
  const asked = [arrival("chat", "web"), arrival("chat", "secure"), arrival("feed", "web"), arrival("", "secure")];
  const concerned = (): boolean[] => asked.map((one) => drains.concern(one));
  expect(concerned()).toEqual([false, false, false, false]);
  drains.use([order({ route: "chat" })]);
  expect(concerned()).toEqual([true, true, false, false]);
  wheel.advance(windowMs * 2);
  expect(concerned()).toEqual([true, true, false, false]);
  drains.use([order({ listener: "web" })]);
  expect(concerned()).toEqual([true, false, true, false]);
  drains.use([order({ route: "chat", listener: "web" })]);
  expect(concerned()).toEqual([true, false, false, false]);
  expect(drains.areForAll).toBe(false);
  drains.use([order({})]);
  expect(concerned()).toEqual([true, true, true, true]);
  expect(drains.areForAll).toBe(true);
  drains.use([]);
  expect(concerned()).toEqual([false, false, false, false]);
});

test("a drain that is taken back leaves open what is still open, and one that is told again goes on", () => {
  const { wheel, drains, closing } = site(400);
  const all = order({});
  drains.use([all]);
  wheel.advance(windowMs / 2);
  const half = closing("chat") + closing("feed");
  expect(half).toBeGreaterThan(100);
  expect(half).toBeLessThan(300);
  drains.use([all, order({ listener: "other" })]);
  wheel.advance(windowMs * 0.75);
  const most = closing("chat") + closing("feed");
  expect(most).toBeGreaterThan(half);
  drains.use([]);
  wheel.advance(windowMs * 3);
  expect(closing("chat") + closing("feed")).toBe(most);
});

test("a worker that hears of a drain late ends its sessions within what is left of the window", () => {
  const { wheel, drains, closing } = site(100);
  drains.use([order({}, { startedAt: Date.now() - windowMs + 1000 })]);
  wheel.advance(1100);
  expect(closing("chat") + closing("feed")).toBe(100);
});

test("a session whose handshake was under way when the drain began gets its Close too", () => {
  const { wheel, drains } = site(0);
  drains.use([order({ route: "chat" })]);
  wheel.advance(windowMs * 2);
  const late = new SessionBench({ wheel, keepalive });
  drains.add(late.session);
  wheel.advance(windowMs * 2 + 100);
  expect(late.session.isClosing).toBe(true);
});
