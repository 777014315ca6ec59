import { expect, test } from "bun:test";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { Http2App } from "../support/http2-app.ts";
import { isOverHttp2, openBridge } from "../support/http2-bridge.ts";
import { until } from "../support/until.ts";
import { echo, WsPeer } from "../support/ws.ts";

const h2 = { protocol: "h2" };
const codes = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4321, 4401, 4999,
];
const cases = codes.flatMap((code) => ["", "x", "ü".repeat(61)].map((reason) => ({ code, reason })));

const kinds = [
  { way: "ws to h2c", client: false, upstream: false },
  { way: "ws to h2", client: false, upstream: true },
  { way: "wss to h2c", client: true, upstream: false },
  { way: "wss to h2", client: true, upstream: true },
  { way: "h2 to h2", client: true, upstream: true, isBridged: true },
];

test.each(kinds)(
  "AC-4.1: every code and reason passes both ways, from $way",
  async ({ client, upstream, isBridged }) => {
    await using app = await Http2App.open({
      isSecure: upstream,
      onPeer: (peer, headers) => {
        const own = cases[Number(headers[":path"]?.slice(1))];
        if (own !== undefined) peer.socket.close(own.code, own.reason);
      },
    });
    const tls = upstream ? { tls: { ca: "authority.pem" } } : {};
    await using fixture = GatewayFixture.open({ to: [app], upstream: { ...h2, ...tls }, isSecure: client });
    if (isBridged === true && !isOverHttp2) openBridge(fixture.port, { isSecure: true });
    const peers = await Promise.all(cases.map((_, at) => WsPeer.open(fixture.port, { path: `/${at}` })));
    expect(await Promise.all(peers.map((peer) => peer.untilEnd()))).toEqual(cases);
    for (const { code, reason } of cases) {
      const peer = await WsPeer.open(fixture.port, { path: "/wait" });
      peer.socket.close(code, reason);
      expect(await app.peers.at(-1)?.untilEnd()).toEqual({ code, reason });
      expect((await peer.untilEnd()).code).toBe(code);
    }
    expect(app.sessions).toHaveLength(1);
    await until(() => fixture.gateway.sessions.size === 0);
  },
);

test("AC-4.2: a Close without a code stays one, in both directions", async () => {
  await using app = await Http2App.open({ onPeer: (peer, h) => h[":path"] === "/now" && peer.socket.close() });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  const told = await WsPeer.open(fixture.port, { path: "/now" });
  expect(await told.untilEnd()).toEqual({ code: 1005, reason: "" });
  const telling = await WsPeer.open(fixture.port, { path: "/wait" });
  telling.socket.close();
  expect(await app.peers[1]?.untilEnd()).toEqual({ code: 1005, reason: "" });
});

test("a hundred sessions talk on one connection, and are 1014 when it is lost", async () => {
  await using app = await Http2App.open({ onPeer: echo });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  const peers = await Promise.all(Array.from({ length: 100 }, () => WsPeer.open(fixture.port)));
  for (const [at, peer] of peers.entries()) for (const part of ["a", "b"]) peer.send(`${part}${at}`);
  peers[0]?.send(Buffer.alloc(1_000_000, "z"));
  await until(() => peers.every(({ messages }, at) => messages.length === (at === 0 ? 3 : 2)));
  expect(peers.map(({ messages }) => messages.slice(0, 2).join())).toEqual(peers.map((_, at) => `a${at},b${at}`));
  expect(peers[0]?.messages[2]?.length).toBe(1_000_000);
  expect(app.sessions).toHaveLength(1);
  app.sessions[0]?.destroy();
  const ends = await Promise.all(peers.map((peer) => peer.untilEnd()));
  expect(ends).toEqual(Array(100).fill({ code: 1014, reason: "" }));
  await until(() => fixture.gateway.sessions.size === 0);
});

test("sixty clients that read nothing hold nobody else up on the same connection", async () => {
  const large = Buffer.alloc(100_000, "x");
  await using app = await Http2App.open({
    onPeer: (peer, headers) => {
      if (headers[":path"] !== "/slow") return echo(peer);
      const more = (error?: Error | null) => void (error || peer.socket.send(large, more));
      more();
    },
  });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  const slow = await Promise.all(Array.from({ length: 60 }, () => fixture.connect()));
  for (const client of slow) {
    client.write(
      handshakeFor("")
        .replace("GET / ", "GET /slow ")
        .replace(/Sec-WebSocket-Protocol: \r\n/, ""),
    );
    await client.until("\r\n\r\n");
    client.pause();
  }
  const quick = await WsPeer.open(fixture.port);
  for (let count = 1; count <= 200; count++) {
    quick.send(Buffer.alloc(20_000, "y"));
    await until(() => quick.messages.length === count);
  }
  expect(app.sessions).toHaveLength(1);
});

test("a stream that is reset is 1014 for its client alone, and a client that vanishes is 1001 for the upstream", async () => {
  await using app = await Http2App.open({ onPeer: echo });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  // One after the other, so that the app's sockets stand in this order.
  const lost = await WsPeer.open(fixture.port);
  const gone = await WsPeer.open(fixture.port);
  const other = await WsPeer.open(fixture.port);
  app.peers[0]?.socket.terminate();
  expect(await lost.untilEnd()).toEqual({ code: 1014, reason: "" });
  gone.socket.terminate();
  expect(await app.peers[1]?.untilEnd()).toEqual({ code: 1001, reason: "" });
  other.send("here");
  await until(() => other.messages.length === 1);
});

test("the subprotocol is the upstream's to choose of those offered, and another one is a bad handshake", async () => {
  const chosen = ["b", "c"];
  await using app = await Http2App.open({
    onStream: (stream) => stream.respond({ ":status": 200, "sec-websocket-protocol": chosen.shift() }),
  });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  const client = await fixture.connect();
  client.write(handshakeFor("a, b"));
  expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 101 (?:.*\r\n)*Sec-WebSocket-Protocol: b\r\n/i);
  client.reset();
  expect((await fixture.ask(handshakeFor("a, b"))).text).toStartWith("HTTP/1.1 502");
});

test("a refused handshake is answered as the upstream answers it", async () => {
  await using app = await Http2App.open({
    onStream: (stream) => {
      stream.respond({ ":status": 403, "x-why": "no" });
      stream.end("not you");
    },
  });
  await using fixture = GatewayFixture.open({ to: [app], upstream: h2 });
  const { text } = await fixture.ask(handshakeFor("a"));
  expect(text).toMatch(/^HTTP\/1\.1 403 .*x-why: no.*not you/is);
});

function handshakeFor(protocols: string): string {
  return `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${protocols}\r\n\r\n`;
}
