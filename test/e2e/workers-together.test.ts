import { expect, test } from "bun:test";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

/** A gateway of three workers whose only route has these members. */
function yaml(apps: readonly WsApp[], route: object = {}): string {
  return JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    workers: 3,
    log: { format: "json" },
    drain: { window: "0s", grace: "1s" },
    listeners: { web: { address: "127.0.0.1:0", trustedProxies: ["127.0.0.1"] } },
    upstreams: { app: { balance: "least-sessions", endpoints: apps.map(({ port }) => `127.0.0.1:${port}`) } },
    routes: { live: { to: "app", ...route } },
  });
}

/** Opens so many at once, from an address of choice, and returns those that were let in. */
async function openMany(gateway: RunningGateway, count: number, address = "192.0.2.1"): Promise<WsPeer[]> {
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const headers = { "X-Forwarded-For": address };
  const tries = Array.from({ length: count }, () => WsPeer.open(port, { headers }).catch((error: Error) => error));
  const results = await Promise.all(tries);
  expect(results.every((result) => result instanceof WsPeer || result.message === "status 429")).toBe(true);
  return results.filter((result) => result instanceof WsPeer);
}

async function sessionsByWorker(gateway: RunningGateway): Promise<readonly number[]> {
  const { body } = await gateway.admin("/api/workers");
  return (body.items as { sessions: number }[]).map(({ sessions }) => sessions);
}

test("a limit on a route's sessions is that of all workers together, exactly", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml([app], { filters: [{ limit: { sessions: 60 } }] }));
  const peers = await openMany(gateway, 150);
  expect(peers.length).toBe(60);
  const shares = await sessionsByWorker(gateway);
  expect(shares.every((share) => share > 0)).toBe(true);
  for (const peer of peers.slice(0, 7)) peer.socket.close();
  await until(async () => (await sessionsByWorker(gateway)).reduce((sum, share) => sum + share, 0) === 53);
  expect((await openMany(gateway, 30)).length).toBe(7);
});

test("a limit for each address is that of all workers together, exactly", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml([app], { filters: [{ limit: { sessionsPerAddress: 10 } }] }));
  const opened = await Promise.all(
    Array.from({ length: 5 }, (_, at) => openMany(gateway, 30, `192.0.2.${at + 1}`).then(({ length }) => length)),
  );
  expect(opened).toEqual([10, 10, 10, 10, 10]);
});

test("a rate is that of all workers together, exactly", async () => {
  await using app = await WsApp.open(echo);
  const filters = [{ limit: { perSecond: { rate: 0.01, burst: 25 } } }, { respond: { status: 204 } }];
  await using gateway = await RunningGateway.open(yaml([app], { filters }));
  const asks = Array.from({ length: 100 }, () => fetch(gateway.url, { keepalive: false }).then(({ status }) => status));
  const statuses = await Promise.all(asks);
  expect(statuses.filter((status) => status === 204).length).toBe(25);
  expect(statuses.filter((status) => status === 429).length).toBe(75);
});

test("the places of a worker that was killed are free, and the log says what it had", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml([app], { filters: [{ limit: { sessions: 60 } }] }));
  expect((await openMany(gateway, 60)).length).toBe(60);
  const [lost = 0] = await sessionsByWorker(gateway);
  process.kill(gateway.ready.workerPid, "SIGKILL");
  await until(() => gateway.event("worker-serving") !== undefined);
  expect(gateway.event("worker-ended")).toMatchObject({ worker: "1", sessions: lost, requests: 0 });
  expect((await openMany(gateway, 80)).length).toBe(lost);
});

test("AC-11.1: least-sessions counts the sessions of all workers, and a new endpoint gets the next ones", async () => {
  await using first = await WsApp.open(echo);
  await using second = await WsApp.open(echo);
  await using third = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml([first, second]));
  for (let count = 0; count < 40; count++) await openMany(gateway, 1);
  expect([first, second].map(({ peers }) => peers.length)).toEqual([20, 20]);
  expect((await sessionsByWorker(gateway)).filter((share) => share > 0).length).toBeGreaterThan(1);
  gateway.write(yaml([first, second, third]));
  await until(() => gateway.event("config-applied") !== undefined);
  for (let count = 0; count < 20; count++) await openMany(gateway, 1);
  expect(third.peers.length).toBe(20);
  for (let count = 0; count < 30; count++) await openMany(gateway, 1);
  expect([first, second, third].map(({ peers }) => peers.length)).toEqual([30, 30, 30]);
});

test("the limits of a listener are those of all workers together", async () => {
  await using app = await WsApp.open(echo);
  const text = yaml([app]).replace('"trustedProxies"', '"limits":{"connections":40},"trustedProxies"');
  await using gateway = await RunningGateway.open(text);
  const port = gateway.ready.listeners[0]?.port ?? 0;
  for (let count = 0; count < 40; count++) await WsPeer.open(port);
  expect((await sessionsByWorker(gateway)).filter((share) => share > 0).length).toBeGreaterThan(1);
  for (let count = 0; count < 20; count++) await expect(WsPeer.open(port)).rejects.toThrow("status 503");
});
