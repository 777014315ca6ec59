import { expect, test } from "bun:test";
import { errorCode, flag, frameType } from "../../src/dataplane/http2/frames.ts";
import { closeContent, makeFrame, readFrames } from "../support/frames.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { header } from "../support/http-message.ts";
import { connectFields, getFields, Http2Client } from "../support/http2-client.ts";
import { friendly, okAnswer, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";
import { echo, WsApp } from "../support/ws.ts";

// The suites of WebSockets run over HTTP/2 with CAUSEWAY_TEST_OVER=h2c; here stands what only HTTP/2 has.

const listener = { h2c: true };
const mask = Uint8Array.of(1, 2, 3, 4);

function clientFrame(opcode: number, payload: string | Uint8Array): Buffer {
  return makeFrame({ opcode, payload: Buffer.from(payload), mask });
}

test("AC-17.1: extended CONNECT is advertised when it is on, and only then", async () => {
  for (const webSockets of [true, false]) {
    await using fixture = GatewayFixture.open({ listener: { ...listener, http2: { webSockets } } });
    await using client = await Http2Client.open(fixture.port);
    await until(() => client.frames.some(({ type, flags }) => type === frameType.settings && flags === 0));
    const settings = client.frames.find(({ type }) => type === frameType.settings)?.payload ?? Buffer.alloc(0);
    const pairs = Array.from({ length: settings.length / 6 }, (_, nth) => [
      settings.readUInt16BE(nth * 6),
      settings.readUInt32BE(nth * 6 + 2),
    ]);
    expect(pairs.filter(([id]) => id === 8)).toEqual(webSockets ? [[8, 1]] : []);
    client.ask(1, connectFields, false);
    await until(() => client.heard(1).isEnded);
    expect(client.heard(1).fields[":status"]).toBe(webSockets ? "502" : "501");
  }
});

test("AC-17.1: a handshake becomes one over HTTP/1.1 with a key of our own, and its fields go through", async () => {
  await using backend = ScriptedBackend.open(async (connection) => {
    const asked = await connection.request();
    const lines =
      "Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=1\r\nKeep-Alive: timeout=5\r\nAlt-Svc: h3\r\nProxy-Authenticate: x\r\n";
    connection.switch(asked, { lines, bytes: makeFrame({ opcode: 1, payload: Buffer.from("first") }) });
  });
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, { ...connectFields, "sec-websocket-protocol": "chat, other", origin: "http://app.example" }, false);
  await until(() => client.heard(1).content.length > 0);
  const [asked] = backend.requests;
  if (asked === undefined) throw new Error("nothing has come");
  expect(asked.line).toBe("GET / HTTP/1.1");
  expect(header(asked, "upgrade")).toBe("websocket");
  expect(header(asked, "sec-websocket-key")).toMatch(/^[A-Za-z0-9+/]{22}==$/);
  expect(header(asked, "sec-websocket-version")).toBe("13");
  expect(header(asked, "host")).toBe("app.example");
  const { fields, content } = client.heard(1);
  // S10: what concerns one connection stays there.
  expect(fields).toEqual({ ":status": "200", "sec-websocket-protocol": "chat", "set-cookie": "a=1" });
  expect(readFrames(content).frames).toMatchObject([{ opcode: 1, payload: Buffer.from("first") }]);
});

test.each([
  [
    "a wrong Sec-WebSocket-Accept",
    "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
    "502",
  ],
  ["a refusal", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", "401"],
  ["an answer that is no upgrade", okAnswer("page"), "502"],
])(
  "AC-17.1: %s of the upstream comes as a status on its stream, and the connection stays",
  async (_, answer, status) => {
    await using backend = ScriptedBackend.open(async (connection) => {
      const asked = await connection.request();
      connection.write(asked.line.includes("/ws") ? answer : okAnswer("ok"));
    });
    await using fixture = GatewayFixture.open({ to: [backend], listener });
    await using client = await Http2Client.open(fixture.port);
    client.ask(1, { ...connectFields, ":path": "/ws" }, false);
    await until(() => client.heard(1).isEnded);
    expect(client.heard(1).fields[":status"]).toBe(status);
    client.ask(3);
    await until(() => client.heard(3).isEnded);
    expect(client.heard(3).content.toString()).toBe("ok");
  },
);

test.each([
  [{ ":protocol": "connect-udp" }, "501"],
  [{ "sec-websocket-version": "8" }, "426"],
  [{ "content-length": "5" }, "400"],
])("AC-17.1: a handshake with %p is answered with %s", async (fields, status) => {
  await using fixture = GatewayFixture.open({ listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, { ...connectFields, ...fields }, false);
  await until(() => client.heard(1).isEnded);
  expect(client.heard(1).fields[":status"]).toBe(status);
});

test("AC-17.3: a stream that is reset is a client that is lost, and an upstream that is lost ends its stream in order", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ to: [app], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, connectFields, false).ask(3, connectFields, false);
  // The app has a socket before the client has its answer, and a client that leaves between the two never had a session.
  await until(() => [1, 3].every((id) => client.heard(id).fields[":status"] === "200"));
  client.reset(1);
  const ends = () => app.peers.map((peer) => peer.end?.code);
  await until(() => ends().includes(1001));
  const lost = app.peers.find((peer) => peer.end === undefined);
  lost?.socket.terminate();
  await until(() => readFrames(client.heard(3).content).frames.length > 0);
  expect(readFrames(client.heard(3).content).frames).toMatchObject([{ opcode: 8, code: 1014 }]);
  client.send(frameType.data, flag.endStream, 3, clientFrame(8, Buffer.of(0x03, 0xf6)));
  await until(() => fixture.gateway.sessions.size === 0 && client.heard(3).isEnded);
  expect(fixture.gateway.status().connections).toBe(1);
  const reasons = fixture.records.flatMap((record) => (record.kind === "session-close" ? [record.end.reason] : []));
  expect(reasons.sort()).toEqual(["client_lost", "upstream_lost"]);
});

test("a client whose connection is gone has lost all its sessions", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ to: [app], listener });
  const client = await Http2Client.open(fixture.port);
  for (let id = 1; id < 40; id += 2) client.ask(id, connectFields, false);
  await until(() => fixture.gateway.sessions.size === 20);
  client.raw.reset();
  await until(() => fixture.gateway.sessions.size === 0);
  expect((await Promise.all(app.peers.map((peer) => peer.untilEnd()))).every(({ code }) => code === 1001)).toBe(true);
});

test("AC-17.3: a session that is not read stops its sender, and holds up no other session", async () => {
  await using app = await WsApp.open((peer) => {
    echo(peer);
    if (app.peers.length === 1) for (let count = 0; count < 200; count++) peer.socket.send(Buffer.alloc(65_536));
  });
  await using fixture = GatewayFixture.open({ to: [app], listener });
  await using client = await Http2Client.open(fixture.port);
  client.raw.write(Buffer.from([0, 0, 4, frameType.windowUpdate, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0]));
  client.ask(1, connectFields, false);
  await until(() => client.heard(1).content.length === 65_535);
  const [waiting] = [...fixture.gateway.sessions];
  await until(() => (waiting?.summary().queuedToClient ?? 0) > 200_000);
  expect(waiting?.summary().queuedToClient).toBeLessThan(1_000_000);
  client.ask(3, connectFields, false);
  client.send(frameType.data, 0, 3, clientFrame(1, "hello"));
  await until(() => readFrames(client.heard(3).content).frames.length > 0);
  expect(readFrames(client.heard(3).content).frames).toMatchObject([{ opcode: 1, payload: Buffer.from("hello") }]);
});

test("sessions on streams get their Close when the gateway drains, and requests beside them are told of the end", async () => {
  await using app = await WsApp.open(echo);
  await using fixture = GatewayFixture.open({ to: [app], listener });
  await using client = await Http2Client.open(fixture.port);
  for (let id = 1; id < 20; id += 2) client.ask(id, connectFields, false);
  await until(() => fixture.gateway.sessions.size === 10);
  const drained = fixture.gateway.drain({ windowMs: 100, graceMs: 4000, code: 1012, reason: "moving" });
  for (let id = 1; id < 20; id += 2) {
    await until(() => readFrames(client.heard(id).content).frames.some(({ opcode }) => opcode === 8));
    client.send(frameType.data, flag.endStream, id, clientFrame(8, Buffer.of(0x03, 0xf4)));
  }
  expect(await drained).toEqual({ closed: 10, destroyed: 0 });
  expect(client.goAway).toBe(errorCode.none);
  expect(readFrames(client.heard(1).content).frames).toMatchObject([{ opcode: 8, code: 1012 }]);
});

test("an ordinary request and WebSockets share a connection", async () => {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, connectFields, false).ask(3).ask(5, connectFields, false).ask(7, getFields);
  await until(() => client.heard(7).isEnded && client.heard(3).isEnded && client.heard(5).fields[":status"] === "200");
  expect(fixture.gateway.status()).toMatchObject({ connections: 1, sessions: 2 });
});

test("a client that answers a Close and never ends its stream is parted from soon, without an error", async () => {
  const close = makeFrame({ opcode: 8, payload: closeContent(1000) });
  await using backend = ScriptedBackend.open(async (connection) => {
    connection.switch(await connection.request(), { bytes: close });
    await connection.until(() => connection.rest.length > 0);
    connection.end();
  });
  await using fixture = GatewayFixture.open({ to: [backend], listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, connectFields, false);
  await until(() => client.heard(1).content.length === close.length);
  client.send(frameType.data, 0, 1, clientFrame(8, closeContent(1000)));
  await until(() => client.heard(1).reset !== undefined, 2000);
  expect(client.heard(1)).toMatchObject({ isEnded: true, reset: errorCode.none });
  expect(fixture.gateway.status()).toMatchObject({ connections: 1, sessions: 0 });
});
