import { expect, test } from "bun:test";
import { RunningGateway } from "../support/running-gateway.ts";
import { Talk } from "../support/talk.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

type Worker = { readonly id: string; readonly pid: number; readonly state: string; readonly sessions: number };

/** A gateway of two workers in front of an application; `more` are further routes. */
function yaml(app: WsApp, more: Readonly<Record<string, object>> = {}): string {
  return JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    workers: 2,
    log: { format: "json" },
    drain: { window: "0s", grace: "1s" },
    listeners: { web: { address: "127.0.0.1:0" } },
    upstreams: { app: { endpoints: [`127.0.0.1:${app.port}`] } },
    routes: { live: { match: { path: "/live" }, to: "app" }, ...more },
  });
}

async function workersOf(gateway: RunningGateway): Promise<readonly Worker[]> {
  return (await gateway.admin("/api/workers")).body.items as readonly Worker[];
}

/** Opens sessions until every worker has some. */
async function openOnAll(gateway: RunningGateway): Promise<WsPeer[]> {
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const peers: WsPeer[] = [];
  await until(async () => {
    peers.push(...(await Promise.all(Array.from({ length: 10 }, () => WsPeer.open(port, { path: "/live" })))));
    return (await workersOf(gateway)).every(({ sessions }) => sessions > 0);
  });
  return peers;
}

test("two workers share the port, and are seen and handled as one gateway", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const peers = await openOnAll(gateway);
  const workers = await workersOf(gateway);
  expect(workers).toMatchObject([
    { id: "1", state: "serving" },
    { id: "2", state: "serving" },
  ]);
  expect(workers.map(({ pid }) => pid)).toEqual([...gateway.ready.workerPids]);
  const { body } = await gateway.admin("/api/sessions?limit=10000");
  const items = body.items as { id: string; worker: string; openedAt: number }[];
  expect([items.length, body.total]).toEqual([peers.length, peers.length]);
  for (const { id, sessions } of workers) expect(items.filter(({ worker }) => worker === id).length).toBe(sessions);
  expect(items).toEqual(items.toSorted((one, other) => one.openedAt - other.openedAt));
  const page = await (await fetch(`${gateway.ready.admin}/metrics`)).text();
  expect(page).toContain(`causeway_sessions_open{route="live"} ${peers.length}\n`);
  expect(page).toContain(`causeway_sessions_opened_total ${peers.length}\n`);
  expect(page).toContain("causeway_workers 2\n");
  for (const { id } of workers) expect(page).toContain(`process_resident_memory_bytes{process="worker-${id}"} `);
  const one = items.find(({ worker }) => worker === "2");
  expect((await gateway.admin(`/api/sessions/${one?.id}?code=4001`, "DELETE")).body).toEqual({ closed: 1 });
  expect((await gateway.admin("/api/sessions?route=live&code=4002", "DELETE")).body).toEqual({
    closed: peers.length - 1,
  });
  const codes = (await Promise.all(peers.map((peer) => peer.untilEnd()))).map(({ code }) => code);
  expect(codes.toSorted()).toEqual([4001, ...Array.from({ length: peers.length - 1 }, () => 4002)]);
});

test("a worker that is killed costs its own sessions only, and another stands in its place within a second", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const peers = await openOnAll(gateway);
  const [first, second] = await workersOf(gateway);
  process.kill(second?.pid ?? 0, "SIGKILL");
  const killedAt = performance.now();
  await until(() => gateway.event("worker-serving") !== undefined);
  expect(performance.now() - killedAt).toBeLessThan(1000);
  expect(gateway.event("worker-ended")).toMatchObject({ worker: "2", how: "signal SIGKILL" });
  await until(() => peers.filter((peer) => peer.end !== undefined).length === second?.sessions);
  for (const peer of peers) if (peer.end === undefined) peer.send("still here");
  await until(() => peers.filter((peer) => peer.messages.length === 1).length === first?.sessions);
  expect((await gateway.admin("/readyz")).body).toEqual({ status: "ready" });
  await openOnAll(gateway);
}, 10_000);

test("AC-1.1: 100 changes of everything else lose, double and reorder nothing on 1,000 sockets of two workers", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const peers: WsPeer[] = [];
  for (let batch = 0; batch < 10; batch++) {
    peers.push(...(await Promise.all(Array.from({ length: 100 }, () => WsPeer.open(port, { path: "/live" })))));
  }
  using talk = new Talk(peers, 100);
  const answers = (path: string): Promise<boolean> =>
    fetch(`${gateway.url}${path}`, { keepalive: false }).then(({ status }) => status === 200);
  for (let change = 1; change <= 100; change++) {
    gateway.write(yaml(app, { now: { match: { path: `/now${change}` }, filters: [{ respond: {} }] } }));
    gateway.kill("SIGHUP");
    // Files are read every 250 ms; some changes are seen together.
    if (change % 20 === 0) await until(() => answers(`/now${change}`));
    else await Bun.sleep(20);
  }
  for (let ask = 0; ask < 20; ask++) expect(await answers("/now100")).toBe(true);
  await talk.stop();
  expect(talk.sent).toBeGreaterThan(10);
  expect(talk.faults).toEqual([]);
  const workers = await workersOf(gateway);
  expect(workers.reduce((sum, { sessions }) => sum + sessions, 0)).toBe(1000);
  expect(workers.every(({ sessions }) => sessions > 0)).toBe(true);
}, 30_000);

test("a control process that is killed leaves the workers serving, and the next one takes them over", async () => {
  await using app = await WsApp.open(echo);
  await using killed = await RunningGateway.open(yaml(app), { isTied: false });
  const peers = await openOnAll(killed);
  const before = await workersOf(killed);
  const { ready } = killed;
  const port = ready.listeners[0]?.port ?? 0;
  using talk = new Talk(peers, 20);
  killed.kill("SIGKILL");
  await killed.exited;
  // Nobody is there, and new sessions open all the same.
  const late = await WsPeer.open(port, { path: "/live" });
  await using next = await RunningGateway.open(yaml(app, { more: { match: { path: "/more" }, to: "app" } }), {
    file: killed.file,
    isTied: false,
  });
  expect(next.event("workers-adopted")).toMatchObject({ workers: [{ pid: ready.workerPids[0] }, {}] });
  expect(next.ready.workerPids).toEqual(ready.workerPids);
  expect(next.ready.listeners).toEqual(ready.listeners);
  const after = await workersOf(next);
  expect(after.reduce((sum, { sessions }) => sum + sessions, 0)).toBe(peers.length + 1);
  expect(after.map(({ id, pid }) => ({ id, pid }))).toEqual(before.map(({ id, pid }) => ({ id, pid })));
  (await WsPeer.open(port, { path: "/more" })).socket.close();
  late.send("hello");
  await until(() => late.messages.length === 1);
  await talk.stop();
  expect(talk.faults).toEqual([]);
  // A worker that was taken over is kept alive like any other.
  process.kill(ready.workerPids[1] ?? 0, "SIGKILL");
  await until(() => next.event("worker-serving") !== undefined);
  next.kill("SIGTERM");
  expect(await next.exited).toBe(0);
}, 15_000);
