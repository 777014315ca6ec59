import { beforeEach, expect, test } from "bun:test";
import { snapshotOf } from "../../test/support/gateway-fixture.ts";
import { SessionBench } from "../../test/support/session-bench.ts";
import { TimerWheel } from "../kit/timer-wheel.ts";
import { ChangeDrains, type Grounds } from "./change-drains.ts";

const windowMs = 10_000;
const terms = { windowMs, code: 1012, reason: "moved" };

let wheel: TimerWheel;
let benches: SessionBench[];
let drains: ChangeDrains;
beforeEach(() => {
  wheel = new TimerWheel({ clock: "simulated" });
  benches = ["chat", "feed"].flatMap((route) => ["web", "old"].flatMap((listener) => open(20, { route, listener })));
  drains = new ChangeDrains({ sessions: sessions(), wheel });
});

function open(count: number, identity: { route: string; listener: string; revision?: number }): SessionBench[] {
  return Array.from(
    { length: count },
    () => new SessionBench({ wheel, keepalive: { pingMs: 0, misses: 1 }, identity }),
  );
}

/** Asked anew each time, as the registry is. */
function sessions() {
  return { [Symbol.iterator]: () => benches.map(({ session }) => session)[Symbol.iterator]() };
}

function grounds(routes: Readonly<Record<string, object>>, listeners = ["web", "old"]): Grounds {
  return { routes: snapshotOf({ routes }).routes, listeners };
}

const chat = { match: { path: "/chat" } };
const feed = { match: { path: "/feed" } };
const before = grounds({ chat, feed });

function closing(place: { route?: string; listener?: string }): number {
  const isMeant = ({ session: { identity } }: SessionBench): boolean =>
    (place.route ?? identity.route) === identity.route && (place.listener ?? identity.listener) === identity.listener;
  return benches.filter((bench) => isMeant(bench) && bench.session.isClosing).length;
}

test.each([
  ["keep", 0, 0],
  ["close", 40, 40],
] as const)("a route that changes with onChange %s", (onChange, atOnce, later) => {
  drains.apply({
    revision: 2,
    before,
    after: grounds({ chat: { ...chat, onChange, timeouts: { idle: "5s" } }, feed }),
    terms,
  });
  expect(closing({ route: "chat" })).toBe(atOnce);
  wheel.advance(windowMs + 100);
  expect([closing({ route: "chat" }), closing({ route: "feed" })]).toEqual([later, 0]);
});

test("a route that changes with onChange drain ends its sessions over the window, and goes on with that when it changes again", () => {
  const changed = grounds({ chat: { ...chat, onChange: "drain" }, feed });
  drains.apply({ revision: 2, before, after: changed, terms });
  wheel.advance(windowMs / 2);
  const half = closing({ route: "chat" });
  expect(half).toBeGreaterThan(5);
  expect(half).toBeLessThan(35);
  drains.apply({ revision: 3, before: changed, after: before, terms });
  wheel.advance(windowMs + 100);
  expect([closing({ route: "chat" }), closing({ route: "feed" })]).toEqual([40, 0]);
});

test("a route that goes drains whatever it says of changes, unless it says close", () => {
  drains.apply({ revision: 2, before, after: grounds({ feed }), terms });
  expect(closing({})).toBe(0);
  wheel.advance(windowMs + 100);
  expect([closing({ route: "chat" }), closing({ route: "feed" })]).toEqual([40, 0]);
  const strict = grounds({ feed: { ...feed, onChange: "close" } });
  drains.apply({ revision: 3, before: strict, after: grounds({}), terms });
  expect(closing({ route: "feed" })).toBe(40);
});

test("a listener that goes drains what came through it", () => {
  drains.apply({ revision: 2, before, after: { ...before, listeners: ["web"] }, terms });
  wheel.advance(windowMs + 100);
  expect([closing({ listener: "old" }), closing({ listener: "web" })]).toEqual([40, 0]);
});

test("what comes back before the end keeps the sessions that are left", () => {
  const after = grounds({ feed }, ["web"]);
  drains.apply({ revision: 2, before, after, terms });
  wheel.advance(windowMs / 2);
  const half = closing({});
  drains.apply({ revision: 3, before: after, after: before, terms });
  wheel.advance(windowMs * 2);
  expect(closing({})).toBe(half);
  expect(half).toBeLessThan(60);
});

test("a session that opens after its route or listener has gone ends too, and no other one", () => {
  drains.apply({ revision: 2, before, after: grounds({ feed }, ["web"]), terms });
  wheel.advance(windowMs * 2);
  const late = [...open(1, { route: "chat", listener: "web" }), ...open(1, { route: "feed", listener: "old" })];
  const fresh = open(1, { route: "feed", listener: "web" });
  for (const { session } of [...late, ...fresh]) drains.add(session);
  wheel.advance(windowMs * 3 + 100);
  expect([...late, ...fresh].map(({ session }) => session.isClosing)).toEqual([true, true, false]);
});

test("a session that opens after its route has changed is closed if the change does that, and one of the new revision is not", () => {
  drains.apply({ revision: 2, before, after: grounds({ chat: { ...chat, onChange: "close" }, feed }), terms });
  const late = [1, 2].flatMap((revision) => open(1, { route: "chat", listener: "web", revision }));
  for (const { session } of late) drains.add(session);
  expect(late.map(({ session }) => session.isClosing)).toEqual([true, false]);
});

test("a session that comes from another process, where its route had gone, ends within the window", () => {
  const now = grounds({ feed });
  drains.apply({ revision: 5, before: { routes: [], listeners: [] }, after: now, terms });
  const [orphan, other] = [
    ...open(1, { route: "chat", listener: "web" }),
    ...open(1, { route: "feed", listener: "web" }),
  ];
  for (const { session } of [orphan, other].filter((bench) => bench !== undefined)) drains.add(session);
  expect(orphan?.session.isClosing).toBe(false);
  wheel.advance(windowMs + 100);
  expect([orphan?.session.isClosing, other?.session.isClosing]).toEqual([true, false]);
});
