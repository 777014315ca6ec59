import { expect, test } from "bun:test";
import { handshake } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

function yaml(app: WsApp, drain: string): string {
  return `
workers: 2
admin: { address: "127.0.0.1:0" }
log: { format: json }
drain: ${drain}
listeners: { web: { address: "127.0.0.1:0" } }
upstreams: { app: { endpoints: [ "127.0.0.1:${app.port}" ] } }
routes: { all: { to: app, timeouts: { close: 30s } } }
`;
}

const portOf = (gateway: RunningGateway): number => gateway.ready.listeners[0]?.port ?? 0;

test("AC-2.1: SIGTERM closes every session with 1012 at moments spread over the window, and then the process ends", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, "{ window: 1s, grace: 4s, reason: restart }"));
  const peers = await Promise.all(Array.from({ length: 200 }, () => WsPeer.open(portOf(gateway))));
  const startedAt = performance.now();
  gateway.kill("SIGTERM");
  const closedAt = await Promise.all(peers.map((peer) => peer.untilEnd().then(() => performance.now() - startedAt)));
  expect(new Set(peers.map((peer) => JSON.stringify(peer.end)))).toEqual(new Set(['{"code":1012,"reason":"restart"}']));
  for (const peer of app.peers) expect((await peer.untilEnd()).code).toBe(1012);
  // Each quarter of the window has its share; 20 of 50 is seven standard deviations away.
  for (let quarter = 0; quarter < 4; quarter++) {
    const share = closedAt.filter((at) => at >= quarter * 250 + 30 && at < quarter * 250 + 280).length;
    expect(share).toBeGreaterThan(20);
  }
  expect(await gateway.exited).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(2500);
  expect(gateway.event("stopped")).toMatchObject({ closed: 200, destroyed: 0, isKilled: false });
}, 15_000);

test("AC-2.1: while it drains it is not ready, and new handshakes are refused with 503 and Retry-After at once", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, "{ window: 2s, grace: 3s }"));
  const peers = await Promise.all(Array.from({ length: 20 }, () => WsPeer.open(portOf(gateway))));
  gateway.kill("SIGTERM");
  await until(async () => (await gateway.admin("/readyz")).status === 503);
  const waits = new Set<string | undefined>();
  for (let count = 0; count < 20; count++) {
    const client = await RawClient.open(portOf(gateway));
    const askedAt = performance.now();
    const response = await client.write(handshake()).response();
    expect(performance.now() - askedAt).toBeLessThan(50);
    expect([response.status, errorCode(response)]).toEqual([503, "draining"]);
    waits.add(header(response, "retry-after"));
    await client.untilEnd();
  }
  expect([...waits].every((wait) => Number(wait) > 0)).toBe(true);
  expect(waits.size).toBeGreaterThan(2);
  expect((await gateway.admin("/healthz")).status).toBe(200);
  const open = peers.filter((peer) => peer.end === undefined);
  for (const peer of open) peer.send("still here");
  await until(() => open.every((peer) => peer.messages.length > 0 || peer.end !== undefined));
  await Promise.all(peers.map((peer) => peer.untilEnd()));
  expect(await gateway.exited).toBe(0);
}, 15_000);

test("AC-2.5: clients that never answer their Close are cut when the grace is over, and counted", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, "{ window: 200ms, grace: 1s }"));
  const stubborn = await Promise.all(Array.from({ length: 3 }, () => RawClient.open(portOf(gateway))));
  for (const client of stubborn) await client.write(handshake()).response();
  const polite = await WsPeer.open(portOf(gateway));
  const startedAt = performance.now();
  gateway.kill("SIGTERM");
  expect((await polite.untilEnd()).code).toBe(1012);
  expect(await gateway.exited).toBe(0);
  const took = performance.now() - startedAt;
  expect(took).toBeGreaterThan(1000);
  expect(took).toBeLessThan(2000);
  expect(gateway.event("stopped")).toMatchObject({ closed: 1, destroyed: 3, isKilled: false });
  for (const client of stubborn) await client.untilEnd();
}, 15_000);

test("a second SIGTERM ends everything at once, open sessions or not", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, "{ window: 20s, grace: 30s }"));
  const peer = await WsPeer.open(portOf(gateway));
  gateway.kill("SIGTERM");
  await until(() => gateway.event("draining") !== undefined);
  const startedAt = performance.now();
  gateway.kill("SIGTERM");
  expect(await gateway.exited).toBe(1);
  await peer.untilEnd();
  expect(performance.now() - startedAt).toBeLessThan(1000);
}, 15_000);

test("whoever reads the log of a long drain sees how many sessions are left", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, "{ window: 0s, grace: 6s }"));
  const stubborn = await Promise.all(Array.from({ length: 3 }, () => RawClient.open(portOf(gateway))));
  for (const client of stubborn) await client.write(handshake()).response();
  gateway.kill("SIGTERM");
  await until(() => gateway.event("drain-left") !== undefined, 8000);
  expect(gateway.event("drain-left")).toMatchObject({ sessions: 3, message: "3 sessions left" });
}, 15_000);
