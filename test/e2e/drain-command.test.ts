import { expect, test } from "bun:test";
import { selfCommand } from "../../src/cli/self.ts";
import { handshake } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { Metrics } from "../support/metrics.ts";
import { RawClient } from "../support/raw-client.ts";
import { RunningGateway } from "../support/running-gateway.ts";
import { until } from "../support/until.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

function yaml(app: WsApp, drain = "{ window: 30s }"): string {
  return `
workers: 2
admin: { address: "127.0.0.1:0" }
log: { format: json, access: false }
drain: ${drain}
listeners: { web: { address: "127.0.0.1:0" }, other: { address: "127.0.0.1:0" } }
upstreams: { app: { endpoints: [ "127.0.0.1:${app.port}" ] } }
routes:
  chat: { match: { path: /chat }, to: app }
  feed: { match: { path: /feed }, to: app }
  now: { match: { path: /chat/now }, filters: [ { respond: {} } ] }
`;
}

const portOf = (gateway: RunningGateway, name = "web"): number =>
  gateway.ready.listeners.find((listener) => listener.name === name)?.port ?? 0;

const open = (port: number, path: string, count: number): Promise<WsPeer[]> =>
  Promise.all(Array.from({ length: count }, () => WsPeer.open(port, { path })));

async function causeway(gateway: RunningGateway, ...args: string[]) {
  const child = Bun.spawn([...selfCommand(), "drain", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", CAUSEWAY_ADMIN: gateway.ready.admin },
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { out, err, code: await child.exited };
}

async function refusal(port: number, path: string) {
  const client = await RawClient.open(port);
  const askedAt = performance.now();
  const response = await client.write(handshake({ target: path })).response();
  const ms = performance.now() - askedAt;
  const { status } = response;
  await client.untilEnd();
  const wait = Number(header(response, "retry-after"));
  return { status, code: errorCode(response), wait, ms };
}

/** The largest distance between a sample and the uniform distribution on `windowMs` (Kolmogorov-Smirnov). */
function distanceToUniform(times: readonly number[], windowMs: number): number {
  const sorted = [...times].sort((one, other) => one - other);
  return Math.max(...sorted.map((at, index) => Math.abs(at / windowMs - (index + 0.5) / sorted.length)));
}

test("AC-2.3: a route drains over its window on all workers, alone, and its clients hear 1012 and 503", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const port = portOf(gateway);
  const chat = await open(port, "/chat", 400);
  const feed = await open(port, "/feed", 20);
  const draining = causeway(gateway, "--route", "chat", "--window", "2s", "--reason", "moved", "--json");
  await until(() => gateway.event("drain-begun") !== undefined);
  const startedAt = performance.now();
  const closing = Promise.all(chat.map((peer) => peer.untilEnd().then(() => performance.now() - startedAt)));
  const waits = new Set<number>();
  for (let count = 0; count < 20; count++) {
    const { status, code, wait, ms } = await refusal(port, "/chat");
    expect([status, code]).toEqual([503, "draining"]);
    expect(ms).toBeLessThan(50);
    expect(wait).toBeGreaterThan(0);
    waits.add(wait);
  }
  expect(waits.size).toBeGreaterThan(2);
  expect((await gateway.admin("/readyz")).status).toBe(200);
  const times = await closing;
  // At a level of one in a million, and what a busy machine adds.
  expect(distanceToUniform(times, 2000)).toBeLessThan(0.135 + 0.05);
  expect(new Set(chat.map(({ end }) => JSON.stringify(end)))).toEqual(new Set(['{"code":1012,"reason":"moved"}']));
  const { out, code } = await draining;
  expect(code).toBe(0);
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.at(0)).toMatchObject({ state: "begun", target: { route: "chat" }, sessions: 400 });
  expect(lines.length).toBeGreaterThan(2);
  expect(lines.at(-1)).toMatchObject({ state: "drained", sessions: 0, of: 400 });
  // It stays so until it is taken back; the other route has not noticed.
  expect((await refusal(port, "/chat")).status).toBe(503);
  expect(feed.every(({ end }) => end === undefined)).toBe(true);
  await open(port, "/feed", 4);
  expect(await causeway(gateway, "--list")).toMatchObject({ out: "route chat: 0 sessions left\n", code: 0 });
  expect(await causeway(gateway, "--route", "chat", "--cancel")).toMatchObject({ code: 0 });
  await open(port, "/chat", 8);
}, 20_000);

test("a drain that is taken back leaves the sessions that are left, and whoever waits for it hears so", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const peers = await open(portOf(gateway), "/chat", 100);
  const draining = causeway(gateway, "--window", "20s");
  await until(() => peers.some(({ end }) => end !== undefined));
  expect((await gateway.admin("/readyz")).body).toEqual({
    status: "not ready",
    reason: "the gateway drains, as it was asked to",
  });
  expect((await refusal(portOf(gateway, "other"), "/feed")).code).toBe("draining");
  expect((await Metrics.read(gateway.ready.admin)).sum("causeway_drains")).toBe(1);
  expect((await causeway(gateway, "--cancel")).out).toMatch(/^the gateway takes new sessions again; \d+ are left\n$/);
  const { out, code } = await draining;
  expect(code).toBe(1);
  expect(out).toMatch(
    /^the gateway drains: 100 sessions within 20s\nthe drain of the gateway was taken back, with \d+ /,
  );
  expect((await gateway.admin("/readyz")).status).toBe(200);
  const left = peers.filter(({ end }) => end === undefined);
  expect(left.length).toBeGreaterThan(50);
  for (const peer of left) peer.onMessage = () => peer.socket.close(1000);
  for (const peer of left) peer.send("still here");
  expect(new Set(await Promise.all(left.map((peer) => peer.untilEnd().then((end) => end.code))))).toEqual(
    new Set([1000]),
  );
}, 20_000);

test("requests of a drained route or listener are answered, each with the end of its connection", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const connection = async (name: string) => {
    const client = await RawClient.open(portOf(gateway, name));
    const response = await client.write("GET /chat/now HTTP/1.1\r\nHost: a\r\n\r\n").response();
    return [response.status, header(response, "connection")];
  };
  await causeway(gateway, "--route", "now");
  expect([await connection("web"), await connection("other")]).toEqual([
    [200, "close"],
    [200, "close"],
  ]);
  await causeway(gateway, "--route", "now", "--cancel");
  await causeway(gateway, "--listener", "other");
  expect([await connection("web"), await connection("other")]).toEqual([
    [200, undefined],
    [200, "close"],
  ]);
  await open(portOf(gateway), "/chat", 1);
  expect((await refusal(portOf(gateway, "other"), "/chat")).code).toBe("draining");
  await causeway(gateway, "--listener", "other", "--cancel");
  expect(await connection("other")).toEqual([200, undefined]);
}, 20_000);

test("AC-2.3: an endpoint drains within a window of its own, whatever its upstream says", async () => {
  await using app = await WsApp.open(echo);
  const text = yaml(app).replace("upstreams: { app: {", "upstreams: { app: { drain: off,");
  await using gateway = await RunningGateway.open(text);
  const peers = await open(portOf(gateway), "/chat", 20);
  const { out, code } = await causeway(
    gateway,
    "--endpoint",
    `127.0.0.1:${app.port}`,
    "--window",
    "200ms",
    "--code",
    "4001",
  );
  expect([code, out]).toEqual([
    0,
    `endpoint 127.0.0.1:${app.port} drains: 20 sessions within 200ms\nendpoint 127.0.0.1:${app.port} is drained: 20 sessions ended\n`,
  ]);
  expect(new Set(await Promise.all(peers.map((peer) => peer.untilEnd().then((end) => end.code))))).toEqual(
    new Set([4001]),
  );
  expect((await refusal(portOf(gateway), "/chat")).code).toBe("upstream_empty");
  await causeway(gateway, "--endpoint", `127.0.0.1:${app.port}`, "--cancel");
  await open(portOf(gateway), "/chat", 1);
}, 20_000);

test("a worker that is started while something drains, drains it too", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  await causeway(gateway, "--route", "chat");
  for (const pid of gateway.ready.workerPids) process.kill(pid, "SIGKILL");
  await until(() => gateway.lines.filter(({ event }) => event === "worker-serving").length === 2, 10_000);
  for (let count = 0; count < 10; count++) expect((await refusal(portOf(gateway), "/chat")).code).toBe("draining");
  await open(portOf(gateway), "/feed", 4);
}, 20_000);

test("a drain outlives the control process, and the next one knows of it", async () => {
  await using app = await WsApp.open(echo);
  await using killed = await RunningGateway.open(yaml(app), { isTied: false });
  const port = portOf(killed);
  const chat = await open(port, "/chat", 40);
  await causeway(killed, "--route", "chat", "--window", "3s", "--no-wait");
  await causeway(killed, "--listener", "other", "--no-wait");
  killed.kill("SIGKILL");
  await killed.exited;
  expect((await refusal(port, "/chat")).code).toBe("draining");
  await using next = await RunningGateway.open(yaml(app), { file: killed.file, isTied: false });
  const { out } = await causeway(next, "--list");
  expect(out).toMatch(/^route chat: \d+ sessions left\nlistener other: 0 sessions left\n$/);
  expect((await refusal(port, "/chat")).code).toBe("draining");
  expect((await Promise.all(chat.map((peer) => peer.untilEnd()))).every(({ code }) => code === 1012)).toBe(true);
  expect((await causeway(next, "--route", "chat", "--cancel")).code).toBe(0);
  await open(port, "/chat", 4);
  expect((await refusal(portOf(next, "other"), "/feed")).code).toBe("draining");
}, 20_000);

test("a drain goes on in the processes that take over", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  const port = portOf(gateway);
  const chat = await open(port, "/chat", 100);
  const draining = causeway(gateway, "--route", "chat", "--window", "3s");
  await until(() => chat.some(({ end }) => end !== undefined));
  expect((await gateway.admin("/api/upgrade", "POST")).status).toBe(200);
  expect(chat.filter(({ end }) => end === undefined).length).toBeGreaterThan(20);
  expect((await refusal(port, "/chat")).code).toBe("draining");
  expect((await Promise.all(chat.map((peer) => peer.untilEnd()))).every(({ code }) => code === 1012)).toBe(true);
  expect((await draining).code).toBe(0);
  await open(port, "/feed", 4);
}, 20_000);

test("what cannot be drained is wrong use, or is not there", async () => {
  await using app = await WsApp.open(echo);
  await using gateway = await RunningGateway.open(yaml(app));
  for (const args of [["chat"], ["--window", "soon"], ["--cancel", "--code", "1000"], ["--list", "--route", "chat"]]) {
    expect([args, (await causeway(gateway, ...args)).code]).toEqual([args, 2]);
  }
  expect(await causeway(gateway, "--route", "nope")).toMatchObject({
    code: 1,
    err: 'causeway drain: there is no route "nope"; see /api/routes\n',
  });
  expect(await causeway(gateway, "--route", "chat", "--upstream", "app")).toMatchObject({ code: 2 });
  expect((await gateway.admin("/api/drain")).body).toEqual({ items: [] });
}, 20_000);
