import { expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { openDescriptors } from "../support/process-figures.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { ScriptedBackend, silent } from "../support/scripted-backend.ts";
import { siteYaml } from "../support/site-yaml.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

test("AC-26.2, S27: a worker that runs out of descriptors refuses new connections with 503; sessions and admin API go on", async () => {
  await using app = await WsApp.open(echo);
  const yaml = siteYaml({ upstreams: { app: [`127.0.0.1:${app.port}`] } });
  await using gateway = await RunningGateway.open(yaml, { descriptors: 256 });
  const port = gateway.ready.listeners[0]?.port ?? 0;
  const { workerPid } = gateway.ready;
  const peers: WsPeer[] = [];
  let refusal = "";
  while (refusal === "" && peers.length < 300) {
    await WsPeer.open(port, { path: "/app/" }).then(
      (peer) => peers.push(peer),
      (error: Error) => {
        refusal = error.message;
      },
    );
  }
  expect(refusal).toBe("status 503");
  expect(peers.length).toBeGreaterThan(70);
  // A crowd comes back at once, and stays: what is refused must not use up the reserve either.
  const crowd = await Promise.all(Array.from({ length: 600 }, () => RawClient.open(port)));
  const refused = await RawClient.open(port);
  refused.write(handshake({ target: "/app/" }));
  const answer = await refused.response().catch(() => undefined);
  expect(answer === undefined || answer.status === 503).toBe(true);
  for (const peer of peers) peer.send("still here");
  peers.forEach((peer) => {
    peer.keeps = true;
  });
  await until(() => peers.every((peer) => peer.messages.length === 1));
  expect((await gateway.admin("/healthz")).status).toBe(200);
  expect((await gateway.admin("/api/sessions")).status).toBe(200);
  expect(openDescriptors(workerPid)).toBeLessThan(256);
  for (const client of crowd) client.reset();
  for (const peer of peers) peer.socket.terminate();
  await until(() => openDescriptors(workerPid) < 40, 10_000);
  const again = await WsPeer.open(port, { path: "/app/" });
  again.send("back");
  await until(() => again.messages.length === 1);
  expect(gateway.lines.filter((line) => line.level === "error")).toEqual([]);
}, 30_000);

/** Over TLS, who is beyond a limit is not answered (tls-listeners.test.ts). */
const inTheClear = { isSecure: false, isDirect: true };

test("AC-26.2: past the limit of connections a new one gets 503 with Retry-After in under 50 ms", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ ...inTheClear, to: [app], listener: { limits: { connections: 5 } } });
  const peers = await Promise.all(Array.from({ length: 5 }, () => WsPeer.open(fixture.port)));
  const startedAt = performance.now();
  const client = await fixture.connect();
  const response = await client.response();
  expect(performance.now() - startedAt).toBeLessThan(50);
  expect([response.status, errorCode(response)]).toEqual([503, "overloaded"]);
  expect(Number(header(response, "retry-after"))).toBeGreaterThan(0);
  await client.untilEnd();
  client.end();
  peers[0]?.socket.terminate();
  await until(async () => (await WsPeer.open(fixture.port).catch(() => undefined)) !== undefined);
});

test("AC-26.1: past the limit of pending handshakes one gets 503, past that of its address 429", async () => {
  await using backend = ScriptedBackend.open(silent);
  for (const [limits, status] of [
    [{ pending: 5 }, 503],
    [{ pendingPerAddress: 5 }, 429],
  ] as const) {
    await using fixture = GatewayFixture.open({ ...inTheClear, to: [backend], listener: { limits } });
    const waiting = await Promise.all(Array.from({ length: 5 }, () => fixture.connect()));
    for (const client of waiting) client.write(handshake());
    const startedAt = performance.now();
    const response = await (await fixture.connect()).response();
    expect(performance.now() - startedAt).toBeLessThan(50);
    expect(response.status).toBe(status);
    expect(Number(header(response, "retry-after"))).toBeGreaterThan(0);
    for (const client of waiting) client.reset();
    await until(
      () => fixture.gateway.metrics().find((family) => family.name === "causeway_pending")?.values[0]?.value === 0,
    );
  }
});

test("AC-26.3, S27: among thousands of half handshakes good clients still connect quickly", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({
    isDirect: true,
    to: [app],
    listener: { limits: { pendingPerAddress: 10_000 } },
  });
  const half = handshake().slice(0, 60);
  const bad = await Promise.all(Array.from({ length: 2000 }, async () => (await fixture.connect()).write(half)));
  const times: number[] = [];
  for (let count = 0; count < 200; count++) {
    const startedAt = performance.now();
    const peer = await WsPeer.open(fixture.port);
    times.push(performance.now() - startedAt);
    peer.socket.terminate();
  }
  times.sort((a, b) => a - b);
  expect(times[197]).toBeLessThan(200);
  for (const client of bad) client.reset();
  await until(() => fixture.gateway.status().connections === 0);
}, 20_000);
