import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Metrics } from "../support/metrics.ts";
import { portToName } from "../support/port-to-name.ts";
import { openDescriptors } from "../support/process-figures.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { Talk } from "../support/talk.ts";
import { openOnAll, twoWorkers, workersOf } from "../support/two-workers.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

test("two workers share the port, and are seen and handled as one gateway", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(twoWorkers(app));
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
  const ofSecond = (await gateway.admin("/api/sessions?worker=2&limit=10000")).body;
  expect(ofSecond.items).toEqual(items.filter(({ worker }) => worker === "2"));
  expect((await gateway.admin("/api/sessions?worker=3")).body).toEqual({ items: [], total: 0 });
  const one = items.find(({ worker }) => worker === "2");
  expect((await gateway.admin(`/api/sessions/${one?.id}?code=4001`, "DELETE")).body).toEqual({ closed: 1 });
  expect((await gateway.admin("/api/sessions?worker=3&code=4002", "DELETE")).body).toEqual({ closed: 0 });
  expect((await gateway.admin("/api/sessions?route=live&code=4002", "DELETE")).body).toEqual({
    closed: peers.length - 1,
  });
  const codes = (await Promise.all(peers.map((peer) => peer.untilEnd()))).map(({ code }) => code);
  expect(codes.toSorted()).toEqual([4001, ...Array.from({ length: peers.length - 1 }, () => 4002)]);
});

test("a worker that is killed costs its own sessions only, and another stands in its place within a second", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(twoWorkers(app));
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
  await using gateway = await RunningGateway.open(twoWorkers(app));
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const peers: WsPeer[] = [];
  for (let batch = 0; batch < 10; batch++) {
    peers.push(...(await Promise.all(Array.from({ length: 100 }, () => WsPeer.open(port, { path: "/live" })))));
  }
  using talk = new Talk(peers, 100);
  const answers = (path: string): Promise<boolean> =>
    fetch(`${gateway.url}${path}`, { keepalive: false }).then(({ status }) => status === 200);
  for (let change = 1; change <= 100; change++) {
    gateway.write(twoWorkers(app, { now: { match: { path: `/now${change}` }, filters: [{ respond: {} }] } }));
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

test("SIGTERM drains all workers, and says what became of all sessions", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(twoWorkers(app));
  const peers = await openOnAll(gateway);
  gateway.kill("SIGTERM");
  expect(await gateway.exited).toBe(0);
  expect(gateway.event("stopped")).toMatchObject({ closed: peers.length, destroyed: 0, isKilled: false });
  const ends = await Promise.all(peers.map((peer) => peer.untilEnd()));
  expect(new Set(ends.map(({ code }) => code))).toEqual(new Set([1012]));
});

test("workers are added and taken away while the gateway runs", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(twoWorkers(app, {}, 1));
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const first = await WsPeer.open(port, { path: "/live" });
  gateway.write(twoWorkers(app, {}, 3));
  await until(async () => (await workersOf(gateway)).filter(({ state }) => state === "serving").length === 3);
  const peers = await openOnAll(gateway);
  gateway.write(twoWorkers(app, {}, 1));
  await until(async () => (await workersOf(gateway)).length === 1);
  const [left] = await workersOf(gateway);
  await until(() => peers.filter(({ end }) => end === undefined).length + 1 === left?.sessions);
  expect(new Set(peers.flatMap(({ end }) => end?.code ?? []))).toEqual(new Set([1012]));
  // Nobody has asked them in the meantime: what they did last is counted all the same.
  const metrics = await Metrics.read(gateway.ready.admin);
  expect(metrics.sum("causeway_sessions_opened_total")).toBe(peers.length + 1);
  expect(metrics.sum("causeway_sessions_closed_total")).toBe(peers.filter(({ end }) => end !== undefined).length);
  first.send("still here");
  await until(() => first.messages.length === 1);
  // Nobody listens any more who does not serve.
  for (let count = 0; count < 20; count++) (await WsPeer.open(port, { path: "/live" })).socket.close();
}, 10_000);

test("two workers without traffic, and the control process, take less than 150 MB in all", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(twoWorkers(app));
  const share = (pid: number): number =>
    Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1] ?? Number.NaN) * 1024;
  const all = [gateway.pid, ...gateway.ready.workerPids].reduce((sum, pid) => sum + share(pid), 0);
  expect(all).toBeLessThan(150 * 1024 * 1024);
});

test.skipIf(Bun.which("prlimit") === null)(
  "a change that one worker cannot have is in force on none of them, and on all once it can",
  async () => {
    await using app = await WsApp.open(echo);
    await using gateway = await RunningGateway.open(twoWorkers(app));
    const [, second = 0] = gateway.ready.workerPids;
    const limit = (files: string): void => void Bun.spawnSync(["prlimit", `--pid=${second}`, `--nofile=${files}:`]);
    const port = await portToName();
    const status = (path: string, at = gateway.ready.listeners[0]?.port): Promise<number> =>
      fetch(`http://127.0.0.1:${at}${path}`, { keepalive: false }).then(
        (answer) => answer.status,
        () => 0,
      );
    // No descriptor is left for another listener.
    limit(String(openDescriptors(second)));
    const changed = JSON.parse(twoWorkers(app, { fresh: { match: { path: "/fresh" }, filters: [{ respond: {} }] } }));
    gateway.write(
      JSON.stringify({ ...changed, listeners: { ...changed.listeners, more: { address: `127.0.0.1:${port}` } } }),
    );
    await until(() => gateway.event("config-issue") !== undefined);
    expect(gateway.event("config-issue")?.message).toContain("listeners.more.address");
    expect(await status("/fresh", port)).toBe(0);
    limit("1024");
    const revisions = (await gateway.admin("/api/workers")).body.items as { revision: number }[];
    expect(revisions.map(({ revision }) => revision)).toEqual([1, 1]);
    for (let ask = 0; ask < 10; ask++) expect(await status("/fresh")).toBe(404);
    // What the machine refused is tried again every two seconds.
    await until(async () => (await status("/fresh", port)) === 200, 5000);
    for (let ask = 0; ask < 10; ask++) expect(await status("/fresh")).toBe(200);
  },
  15_000,
);
