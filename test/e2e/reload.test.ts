import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { residentMemory } from "../support/process-figures.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { Talk } from "../support/talk.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

/** Routes that have nothing to do with the sessions, different with every number. */
function others(change: number): Record<string, object> {
  const count = change % 7;
  const names = Array.from({ length: count }, (_, at) => `other${(change + at) % 10}`);
  return Object.fromEntries(
    names.map((name, at) => [
      name,
      { match: { path: `/${name}` }, filters: [{ respond: { status: 200 + ((change + at) % 5) } }] },
    ]),
  );
}

test("AC-1.1: 100 changes of everything else lose, double and reorder nothing on 200 sockets", async () => {
  await using app = await WsApp.open(echo);
  const live = { live: { match: { path: "/live" }, to: "app" } };
  await using fixture = GatewayFixture.open({ to: [app], routes: live });
  const peers = await Promise.all(Array.from({ length: 200 }, () => WsPeer.open(fixture.port, { path: "/live" })));
  using talk = new Talk(peers, 25);
  for (let change = 1; change <= 100; change++) {
    const upstream = { endpoints: [`127.0.0.1:${app.port}`, ...(change % 2 === 0 ? [`127.0.0.1:${change}`] : [])] };
    const upstreams = change % 3 === 0 ? { spare: { endpoints: [`127.0.0.1:${change}`] } } : {};
    const settings = {
      upstream,
      upstreams,
      routes: {
        ...live,
        ...others(change),
        spare: { match: { path: "/spare" }, to: change % 3 === 0 ? "spare" : "app" },
      },
    };
    expect(fixture.gateway.apply({ ...snapshotOf(settings), revision: change + 1 })).toEqual([]);
    await Bun.sleep(10);
  }
  expect(talk.sent).toBeGreaterThan(20);
  await talk.stop();
  expect(talk.faults).toEqual([]);
  expect(fixture.gateway.status().sessionsByRevision).toEqual({ "1": 200 });
}, 20_000);

test("AC-1.2: open sessions keep the settings they were opened with, new ones get the new", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ to: [app] });
  const old = await WsPeer.open(fixture.port);
  const changed = snapshotOf({ to: [app], route: { timeouts: { idle: "200ms" }, closeCodes: { idle: 4200 } } });
  expect(fixture.gateway.apply({ ...changed, revision: 2 })).toEqual([]);
  const fresh = await WsPeer.open(fixture.port);
  expect(fixture.gateway.status().sessionsByRevision).toEqual({ "1": 1, "2": 1 });
  expect(await fresh.untilEnd()).toMatchObject({ code: 4200 });
  old.send("still here");
  await until(() => old.messages.length === 1);
});

test("AC-1.3: a deleted route and a removed endpoint drain their own sessions, and no others", async () => {
  await using first = await WsApp.open(echo);
  await using second = await WsApp.open(echo);
  const routes = {
    a: { match: { path: "/a" }, to: "app" },
    b: { match: { path: "/b" }, to: "app" },
    c: { match: { path: "/c" }, to: "two" },
  };
  const two = (...apps: WsApp[]) => ({
    two: { balance: "round-robin", endpoints: apps.map((app) => `127.0.0.1:${app.port}`) },
  });
  await using fixture = GatewayFixture.open({ to: [first], upstreams: two(first, second), routes });
  const open = async (path: string) =>
    Promise.all(Array.from({ length: 10 }, () => WsPeer.open(fixture.port, { path })));
  const [a, b, c] = [await open("/a"), await open("/b"), await open("/c")];
  const terms = { drain: { windowMs: 100, code: 1012, reason: "moved" } };
  const { b: _, ...left } = routes;
  const changed = snapshotOf({ to: [first], upstreams: two(first), routes: left });
  expect(fixture.gateway.apply({ ...changed, revision: 2 }, terms)).toEqual([]);
  expect(await Promise.all(b.map((peer) => peer.untilEnd()))).toEqual(b.map(() => ({ code: 1012, reason: "moved" })));
  await until(() => c.filter((peer) => peer.end !== undefined).length === 5);
  await until(() => fixture.gateway.sessions.size === 15);
  expect(a.every((peer) => peer.end === undefined)).toBe(true);
  // The application hears of its end a moment after the gateway has forgotten the session.
  for (const peer of second.peers) expect((await peer.untilEnd()).code).toBe(1012);
});

test("AC-1.4: 1,000 reloads with open sockets leave nothing behind", async () => {
  await using app = await WsApp.open(echo);
  const live = { live: { match: { path: "/live" }, to: "app" } };
  await using fixture = GatewayFixture.open({ to: [app], routes: live });
  const peers = await Promise.all(Array.from({ length: 100 }, () => WsPeer.open(fixture.port, { path: "/live" })));
  const snapshots = Array.from({ length: 20 }, (_, change) =>
    snapshotOf({ to: [app], routes: { ...live, ...others(change) } }),
  );
  const reload = (times: number) => {
    for (let count = 0; count < times; count++) {
      const snapshot = snapshots[count % snapshots.length] ?? snapshots[0];
      if (snapshot !== undefined) fixture.gateway.apply({ ...snapshot, revision: fixture.gateway.revision + 1 });
    }
    Bun.gc(true);
    return heapStats();
  };
  const before = reload(200);
  const after = reload(1000);
  expect(after.objectCount).toBeLessThan(before.objectCount * 1.05);
  expect(after.heapSize).toBeLessThan(before.heapSize * 1.05);
  for (const peer of peers) peer.send("still here");
  await until(() => peers.every((peer) => peer.messages.length === 1));
}, 20_000);

test("AC-1.1, AC-1.4: changes through the file of a running gateway keep sessions, memory and the worker", async () => {
  await using app = await WsApp.open(echo);
  const yaml = (change: number, extra = "") =>
    JSON.stringify({
      admin: { address: "127.0.0.1:0" },
      log: { format: "json" },
      listeners: { web: { address: "127.0.0.1:0" } },
      upstreams: { app: { endpoints: [`127.0.0.1:${app.port}`] } },
      routes: {
        live: { match: { path: "/live" }, to: "app" },
        now: { match: { path: `/now${change}` }, filters: [{ respond: {} }] },
      },
    }) + extra;
  await using gateway = await RunningGateway.open(yaml(0));
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const { workerPid } = gateway.ready;
  const peers = await Promise.all(Array.from({ length: 100 }, () => WsPeer.open(port, { path: "/live" })));
  const before = residentMemory(workerPid);
  using talk = new Talk(peers, 50);
  for (let change = 1; change <= 12; change++) {
    gateway.write(yaml(change));
    await until(async () => (await fetch(`${gateway.url}/now${change}`)).status === 200);
  }
  gateway.write(yaml(13, "\nnonsense"));
  await until(async () => ((await gateway.admin("/api/issues")).body.items as unknown[]).length > 0);
  expect((await fetch(`${gateway.url}/now12`)).status).toBe(200);
  gateway.write(yaml(14));
  await until(async () => (await fetch(`${gateway.url}/now14`)).status === 200);
  expect((await gateway.admin("/api/issues")).body.items).toEqual([]);
  await talk.stop();
  expect(talk.faults).toEqual([]);
  expect(residentMemory(workerPid)).toBeLessThan(before * 1.05 + 8 * 1024 * 1024);
  const { body } = await gateway.admin("/api/workers");
  expect(body.items).toMatchObject([{ pid: workerPid, sessions: 100 }]);
}, 30_000);
