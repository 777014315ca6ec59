import { expect, test } from "bun:test";
import { DnsServer } from "../support/dns-server.ts";
import { Metrics } from "../support/metrics.ts";
import { type LogLine, RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

type Upstreams = { items: readonly { endpoints: readonly { address: string; state: string; sessions: number }[] }[] };

async function endpointsOf(gateway: RunningGateway): Promise<string[]> {
  // The admin API's own shape.
  const { items } = (await gateway.admin("/api/upstreams")).body as unknown as Upstreams;
  return (items[0]?.endpoints ?? []).map(({ address, state, sessions }) => `${address} ${state} ${sessions}`).sort();
}

const yaml = (dns: object, more: object = {}): string =>
  JSON.stringify({
    admin: { address: "127.0.0.1:0" },
    listeners: { web: { address: "127.0.0.1:0" } },
    upstreams: { app: { dns, ...more } },
    routes: { all: { to: "app" } },
    drain: { window: "0s" },
  });

const events = (gateway: RunningGateway, name: string): LogLine[] =>
  gateway.lines.filter(({ event }) => event === name);

async function opened(gateway: RunningGateway): Promise<WsPeer> {
  return WsPeer.open(Number(new URL(gateway.url).port));
}

test("endpoints are those that DNS names, and follow it; what it fails to say stays", async () => {
  await using app = await WsApp.open(echo);
  await using server = await DnsServer.open();
  server.zone.set("app.test", [{ type: "A", value: "127.0.0.1" }]);
  const dns = { name: `app.test:${app.port}`, servers: [`127.0.0.1:${server.port}`], minTtl: "100ms", maxTtl: "200ms" };
  await using gateway = await RunningGateway.open(yaml(dns));

  // Nobody was sent to an upstream without endpoints.
  const first = await opened(gateway);
  expect(await endpointsOf(gateway)).toEqual([`127.0.0.1:${app.port} unchecked 1`]);

  // Another address is there as well, and traffic goes there too.
  server.zone.set("app.test", [
    { type: "A", value: "127.0.0.1" },
    { type: "A", value: "127.0.0.2" },
  ]);
  await until(async () => (await endpointsOf(gateway)).length === 2);
  expect(events(gateway, "discovery-found").at(-1)).toMatchObject({
    upstream: "app",
    name: "app.test",
    endpoints: [`127.0.0.1:${app.port}`, `127.0.0.2:${app.port}`],
  });

  // A server that fails, says nothing, nonsense, or that there is no such name, takes nothing away.
  for (const answer of [{ code: 2 }, "garbage", { code: 3 }, []] as const) {
    const failures = async (): Promise<number> =>
      (await Metrics.read(gateway.ready.admin)).sum("causeway_discovery_failures_total", 'upstream="app"');
    const before = await failures();
    server.zone.set("app.test", answer);
    await until(async () => (await failures()) > before + 1);
    expect((await endpointsOf(gateway)).length).toBe(2);
  }
  expect(events(gateway, "discovery-failed").length).toBe(1);
  const metrics = await Metrics.read(gateway.ready.admin);
  expect(metrics.sum("causeway_discovery_endpoints", 'upstream="app"')).toBe(2);

  // The first one is gone: its session is drained, and new ones go elsewhere.
  server.zone.set("app.test", [{ type: "A", value: "127.0.0.2" }]);
  expect((await first.untilEnd()).code).toBe(1012);
  await until(async () => (await endpointsOf(gateway)).join() === `127.0.0.2:${app.port} unchecked 0`);
  expect(gateway.ready.listeners.length).toBe(1);
}, 20_000);

test("SRV records say where the application is, and a worker that starts anew knows it", async () => {
  await using app = await WsApp.open(echo);
  await using server = await DnsServer.open();
  const service = "_ws._tcp.app.test";
  server.zone.set(service, [{ type: "SRV", value: [0, 5, 1, "nowhere.test"] }]);
  const dns = { name: service, servers: [`127.0.0.1:${server.port}`], minTtl: "100ms", maxTtl: "200ms" };
  await using gateway = await RunningGateway.open(yaml(dns));
  expect(events(gateway, "discovery-failed").length).toBe(1);
  expect(opened(gateway)).rejects.toThrow("503");
  await opened(gateway).catch(() => {});

  server.zone.set(service, [{ type: "SRV", value: [0, 5, app.port, "host.test"] }]);
  server.zone.set("host.test", [{ type: "A", value: "127.0.0.1" }]);
  await until(async () => (await endpointsOf(gateway)).length === 1);
  (await opened(gateway)).socket.terminate();

  process.kill(gateway.ready.workerPid, "SIGKILL");
  await until(() => events(gateway, "worker-serving").some(({ pid }) => pid !== gateway.ready.workerPid), 10_000);
  const again = await opened(gateway);
  again.socket.terminate();
}, 20_000);

test("a name that nobody answers for does not keep the gateway from starting, or from reloading", async () => {
  await using server = await DnsServer.open();
  await using app = await WsApp.open(echo);
  server.zone.set("app.test", "silence");
  const dns = { name: "app.test:80", servers: [`127.0.0.1:${server.port}`], timeout: "300ms" };
  await using gateway = await RunningGateway.open(yaml(dns));
  expect(opened(gateway)).rejects.toThrow("503");
  await opened(gateway).catch(() => {});
  gateway.write(yaml(dns, { endpoints: [`127.0.0.1:${app.port}`] }));
  await until(async () => (await endpointsOf(gateway)).length === 1);
  (await opened(gateway)).socket.terminate();
}, 20_000);
