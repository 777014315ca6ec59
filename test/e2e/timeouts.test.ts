import { expect, test } from "bun:test";
import type { SessionCloseRecord } from "../../src/core/access-record.ts";
import { TimerWheel } from "../../src/kit/timer-wheel.ts";
import { makeFrame, readFrames, someMask } from "../support/frames.ts";
import { GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { errorCode } from "../support/http-message.ts";
import { friendly, ScriptedBackend, silent } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";
import { goWithoutBridge } from "../support/without-bridge.ts";
import { echo, WsApp, WsPeer } from "../support/ws.ts";

goWithoutBridge();

/** How the newest session of a fixture ended, once it has. */
async function sessionEnd(fixture: GatewayFixture): Promise<SessionCloseRecord["end"]> {
  const closes = () => fixture.records.filter((record) => record.kind === "session-close");
  await until(() => closes().length > 0);
  return closes().at(-1)?.end as SessionCloseRecord["end"];
}

test("AC-3.2: an upstream that accepts and never answers is a 504 in time, and its connection is ended", async () => {
  await using backend = ScriptedBackend.open(silent);
  await using fixture = GatewayFixture.open({ to: [backend], route: { timeouts: { handshake: "500ms" } } });
  const client = await fixture.connect();
  const startedAt = performance.now();
  client.write(handshake());
  const response = await client.response();
  const took = performance.now() - startedAt;
  expect([response.status, errorCode(response)]).toEqual([504, "upstream_timeout"]);
  expect(Math.abs(took - 500)).toBeLessThan(200);
  await until(() => backend.connections[0]?.hasEnded === true);
  await client.untilEnd();
});

test("AC-3.2: an upstream that sends half a head counts as one that never answers", async () => {
  await using backend = ScriptedBackend.open((connection) => {
    connection.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n");
  });
  await using fixture = GatewayFixture.open({ to: [backend], route: { timeouts: { handshake: "300ms" } } });
  const client = await fixture.connect();
  expect((await client.write(handshake()).response()).status).toBe(504);
});

test("AC-3.1: a route that says nothing has the published settings", () => {
  expect(snapshotOf({}).routes[0]).toMatchObject({
    timeouts: {
      connectMs: 5000,
      handshakeMs: 10_000,
      idleMs: 0,
      lifetimeMs: 0,
      closeMs: 5000,
      requestMs: 60_000,
    },
    keepalive: { pingMs: 30_000, misses: 3 },
  });
});

test("AC-3.1: no timer of HTTP touches a session", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({
    to: [app],
    listener: { timeouts: { head: "100ms", keepAlive: "100ms" } },
    route: { timeouts: { handshake: "150ms", request: "100ms", connect: "100ms" } },
  });
  const client = await WsPeer.open(fixture.port);
  await Bun.sleep(600);
  client.send("still here");
  await until(() => client.messages.length === 1);
  expect(client.end).toBeUndefined();
});

test("AC-3.3: an idle session ends with a Close on both sides, and the log says why", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({
    to: [app],
    route: { timeouts: { idle: "300ms" }, closeCodes: { idle: 4100 } },
  });
  const client = await WsPeer.open(fixture.port);
  const startedAt = performance.now();
  expect(await client.untilEnd()).toMatchObject({ code: 4100 });
  expect(performance.now() - startedAt).toBeGreaterThan(290);
  expect(await app.peers[0]?.untilEnd()).toMatchObject({ code: 4100 });
  expect(await sessionEnd(fixture)).toMatchObject({ reason: "idle_timeout", initiator: "gateway", isClean: true });
});

test("AC-3.4: pings of the peers themselves keep a session from being idle", async () => {
  await using app = await WsApp.open();
  await using fixture = GatewayFixture.open({ to: [app], route: { timeouts: { idle: "300ms" } } });
  const client = await WsPeer.open(fixture.port);
  let pongs = 0;
  client.socket.on("pong", () => pongs++);
  for (let count = 1; count <= 8; count++) {
    client.socket.ping(`${count}`);
    await until(() => pongs === count);
    await Bun.sleep(100);
  }
  expect(client.end).toBeUndefined();
});

test("AC-3.1: a session that has lived its time ends with a Close, however busy it is", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ to: [app], route: { timeouts: { lifetime: "400ms" } } });
  const client = await WsPeer.open(fixture.port);
  const talking = setInterval(() => client.send("x"), 20);
  expect(await client.untilEnd()).toMatchObject({ code: 1001 });
  clearInterval(talking);
  expect(await sessionEnd(fixture)).toMatchObject({ reason: "lifetime" });
});

test("AC-6.3: a client that answers no pings is dead within interval times misses, and the backend hears of it", async () => {
  await using app = await WsApp.open();
  await using fixture = GatewayFixture.open({ to: [app], route: { keepalive: { ping: "150ms", misses: 2 } } });
  const client = await fixture.connect();
  const startedAt = performance.now();
  await client.write(handshake()).response();
  expect(await app.peers[0]?.untilEnd()).toMatchObject({ code: 1001 });
  expect(performance.now() - startedAt).toBeLessThan(600);
  expect(readFrames(client.received).frames.map((frame) => frame.opcode)).toContain(9);
  expect(await sessionEnd(fixture)).toMatchObject({ reason: "dead_peer", detail: expect.stringContaining("client") });
});

test("AC-6.3: a backend that answers no pings is dead too, and the client gets 1014", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend], route: { keepalive: { ping: "150ms", misses: 2 } } });
  const client = await WsPeer.open(fixture.port);
  expect(await client.untilEnd()).toMatchObject({ code: 1014 });
  expect(await sessionEnd(fixture)).toMatchObject({ reason: "dead_peer", detail: expect.stringContaining("upstream") });
  await until(() => backend.connections[0]?.hasEnded === true);
});

test("AC-3.1: a silent session whose peers answer pings stays, and no ping of the gateway's is passed on", async () => {
  await using app = await WsApp.open();
  await using fixture = GatewayFixture.open({ to: [app], route: { keepalive: { ping: "50ms", misses: 2 } } });
  const client = await WsPeer.open(fixture.port);
  let pongs = 0;
  client.socket.on("pong", () => pongs++);
  app.peers[0]?.socket.on("pong", () => pongs++);
  await Bun.sleep(700);
  expect([client.end, pongs]).toEqual([undefined, 0]);
  const [session] = fixture.gateway.sessions.find({});
  expect(session?.summary().clientRttMs).toBeLessThan(100);
});

test("AC-26.1, S27: a handshake that comes byte by byte is ended in time", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend], listener: { timeouts: { head: "400ms" } } });
  const client = await fixture.connect();
  const bytes = handshake();
  const startedAt = performance.now();
  for (let at = 0; at < bytes.length && !client.hasEnded; at++) {
    client.write(bytes.slice(at, at + 1));
    await Bun.sleep(20);
  }
  expect((await client.response()).status).toBe(408);
  expect(performance.now() - startedAt).toBeLessThan(700);
  expect(backend.connections).toHaveLength(0);
});

test("AC-26.1: a connection on which nothing comes is ended in time as well", async () => {
  await using fixture = GatewayFixture.open({ listener: { timeouts: { head: "300ms" } } });
  const client = await fixture.connect();
  await client.untilEnd();
  expect(client.count).toBe(0);
});

test("AC-26.1: a session whose frames come byte by byte lives", async () => {
  await using app = await WsApp.open();
  await using fixture = GatewayFixture.open({
    to: [app],
    listener: { timeouts: { head: "100ms", keepAlive: "100ms" } },
  });
  const client = await fixture.connect();
  await client.write(handshake()).response();
  for (const byte of makeFrame({ opcode: 1, payload: "slow but well", mask: someMask })) {
    client.write(Uint8Array.of(byte));
    await Bun.sleep(30);
  }
  await until(() => app.peers[0]?.messages.length === 1);
  expect(String(app.peers[0]?.messages[0])).toBe("slow but well");
});

test("a Close that a peer never answers ends the session when the time for it is over", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend], route: { timeouts: { close: "300ms" } } });
  const client = await WsPeer.open(fixture.port);
  client.socket.close(4000);
  await until(() => fixture.gateway.sessions.size === 0);
  expect(await sessionEnd(fixture)).toMatchObject({ reason: "closed", initiator: "client", isClean: false });
  await until(() => backend.connections[0]?.hasEnded === true);
});

test("timeouts.request: a client that does not send its body on gets 408, and the upstream is not blamed", async () => {
  await using backend = ScriptedBackend.open(silent);
  await using fixture = GatewayFixture.open({ to: [backend], route: { timeouts: { request: "300ms" } } });
  const client = await fixture.connect();
  const startedAt = performance.now();
  client.write("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf");
  const response = await client.response();
  expect([response.status, errorCode(response)]).toEqual([408, "request_timeout"]);
  // Progress is looked for once in that time, so it takes up to twice as long.
  expect(performance.now() - startedAt).toBeGreaterThan(290);
  expect(performance.now() - startedAt).toBeLessThan(900);
  await client.untilEnd();
});

test("timeouts.request: an upstream that leaves a whole request unanswered is a 504", async () => {
  await using backend = ScriptedBackend.open(silent);
  await using fixture = GatewayFixture.open({ to: [backend], route: { timeouts: { request: "300ms" } } });
  const client = await fixture.connect();
  const startedAt = performance.now();
  client.write("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody");
  const response = await client.response();
  expect([response.status, errorCode(response)]).toEqual([504, "upstream_timeout"]);
  expect(Math.abs(performance.now() - startedAt - 300)).toBeLessThan(200);
});

test("timeouts.request: a client that does not take its answer is let go", async () => {
  const piece = new Uint8Array(1024 * 1024);
  await using backend = ScriptedBackend.open(async (connection) => {
    await connection.request();
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${piece.length * 64}\r\n\r\n`);
    for (let count = 0; count < 64; count++) connection.write(piece);
  });
  await using fixture = GatewayFixture.open({ to: [backend], route: { timeouts: { request: "300ms" } } });
  const client = await fixture.connect();
  client.pause();
  client.write("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  expect(await fixture.record()).toMatchObject({ error: "client_gone", bytesOut: expect.any(Number) });
  client.reset();
});

test("timeouts.request: off lets a client take all the time for its body", async () => {
  const wheel = new TimerWheel({ clock: "simulated" });
  await using backend = ScriptedBackend.open(async (connection) => {
    await connection.request();
    connection.write("HTTP/1.1 204 No Content\r\n\r\n");
  });
  await using fixture = GatewayFixture.open({ to: [backend], wheel, route: { timeouts: { request: "off" } } });
  const client = await fixture.connect();
  client.write("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf");
  await until(() => backend.connections[0]?.text.includes("half") === true);
  wheel.advance(10 * 60_000);
  client.write("stands");
  expect((await client.response()).status).toBe(204);
});
