import { expect, test } from "bun:test";
import { holdings, leftOver, memoryBelow } from "../support/baseline.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake, request } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { echo, WsApp } from "../support/ws.ts";

const limits = { handshakesPerSecond: 50 };

function yaml(app: WsApp, how: { readonly workers: number; readonly handshakesPerSecond: number }): string {
  const { workers, handshakesPerSecond } = how;
  return JSON.stringify({
    workers,
    admin: { address: "127.0.0.1:0" },
    log: { format: "json", access: false },
    listeners: { web: { address: "127.0.0.1:0", limits: { handshakesPerSecond } } },
    upstreams: { app: { endpoints: [`127.0.0.1:${app.port}`] } },
    routes: { all: { to: "app" } },
  });
}

const portOf = (gateway: RunningGateway): number => gateway.ready.listeners[0]?.port ?? 0;

async function ask(port: number): Promise<{ status: number; ms: number; wait: number; code: string | undefined }> {
  const client = await RawClient.open(port);
  const askedAt = performance.now();
  const response = await client.write(handshake()).response();
  const ms = performance.now() - askedAt;
  client.reset();
  const { status } = response;
  return { status, ms, wait: Number(header(response, "retry-after")), code: status === 101 ? "" : errorCode(response) };
}

test("AC-2.4: handshakes beyond the pace of a listener get 503 with a Retry-After that differs, in under 50 ms", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ to: [app], listener: { limits } });
  const startedAt = performance.now();
  const answers = [];
  /** What could have been admitted while nobody asked, because the machine stood still for longer than a tenth of a second. */
  let lost = 0;
  /** What comes before the first decision adds nothing to what may come at once, and what comes behind the last one is for nobody. */
  let firstAnsweredAt = 0;
  let lastAskedAt = startedAt;
  for (let count = 0; count < 200; count++) {
    const askedAt = performance.now();
    answers.push(await ask(fixture.port));
    const answeredAt = performance.now();
    if (count === 0) firstAnsweredAt = answeredAt;
    else lost += Math.max(0, ((answeredAt - lastAskedAt) / 1000) * 50 - 4);
    lastAskedAt = askedAt;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const surely = (lastAskedAt - firstAnsweredAt) / 1000;
  const admitted = answers.filter(({ status }) => status === 101).length;
  // A tenth of a second's handshakes may come at once.
  expect(admitted).toBeLessThanOrEqual(5 + Math.ceil(seconds * 50));
  expect(admitted).toBeGreaterThanOrEqual(Math.min(200, 4 + Math.floor(surely * 50 - lost)));
  const refused = answers.filter(({ status }) => status !== 101);
  expect(new Set(refused.map(({ status, code }) => `${status} ${code}`))).toEqual(new Set(["503 overloaded"]));
  // One in a hundred may meet a busy machine.
  expect(refused.filter(({ ms }) => ms > 50).length).toBeLessThanOrEqual(refused.length / 100);
  const waits = new Set(refused.map(({ wait }) => wait));
  expect([...waits].every((wait) => wait >= 1 && wait <= 10)).toBe(true);
  expect(waits.size).toBeGreaterThan(4);
  const counted = fixture.gateway.metrics().find(({ name }) => name === "causeway_connections_refused_total");
  expect(counted?.values).toMatchObject([{ labels: { limit: "handshakes_per_second" }, value: refused.length }]);
  // Requests do not count.
  const client = await fixture.connect();
  expect((await client.write(request()).response()).status).not.toBe(503);
}, 20_000);

test("AC-2.4: what is refused leaves nothing behind", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, { workers: 1, handshakesPerSecond: 1 }));
  const storm = async (count: number) => {
    for (let at = 0; at < count; at++) await ask(portOf(gateway));
    await until(async () => (await holdings(gateway)).connections === 0, 8000);
    return holdings(gateway);
  };
  const before = await storm(1000);
  expect(leftOver(before, await storm(2000))).toEqual([]);
  await memoryBelow(gateway, before.memory * 1.05 + 4_000_000);
}, 30_000);

test("AC-2.4: the pace is that of all workers together", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app, { workers: 2, handshakesPerSecond: 50 }));
  const port = portOf(gateway);
  const startedAt = performance.now();
  const answers = [];
  for (let count = 0; count < 200; count++) answers.push(await ask(port));
  const seconds = (performance.now() - startedAt) / 1000;
  const admitted = answers.filter(({ status }) => status === 101).length;
  expect(admitted).toBeLessThanOrEqual(5 + Math.ceil(seconds * 50));
  expect(admitted).toBeGreaterThan(3);
}, 20_000);
