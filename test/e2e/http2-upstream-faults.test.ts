import { expect, test } from "bun:test";
import {
  errorCode,
  flag,
  frameType,
  goAwayFrame,
  numberFrame,
  setting,
  settingsFrame,
} from "../../src/dataplane/http2/frames.ts";
import { GatewayFixture, snapshotOf } from "../support/gateway-fixture.ts";
import { Http2Peer, type Http2PeerConnection, type Http2PeerScript } from "../support/http2-peer.ts";
import { until } from "../support/until.ts";
import { WsPeer } from "../support/ws.ts";

const fine = { ":status": "200" };
const answerFine: Http2PeerScript["onRequest"] = (connection, { stream }) => connection.answer(stream, fine);

function open(to: Http2Peer, route: object = {}): GatewayFixture {
  return GatewayFixture.open({ to: [to], upstream: { protocol: "h2" }, route });
}

function ask(fixture: GatewayFixture, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${fixture.port}/`, init);
}

/** The upstream has another endpoint from now on. */
function replace(fixture: GatewayFixture, other: Http2Peer): void {
  const snapshot = snapshotOf({ to: [other], upstream: { protocol: "h2" } });
  const [listener] = fixture.gateway.listeners;
  const listeners = snapshot.listeners.map((one) => ({ ...one, port: listener?.port ?? 0 }));
  expect(fixture.gateway.apply({ ...snapshot, listeners, revision: 2 })).toEqual([]);
}

type Breach = (connection: Http2PeerConnection, stream: number) => void;

/** What an upstream must not do with a connection, and with a stream. */
const connectionBreaches: Record<string, Breach> = {
  pushes: (c, s) => c.send(frameType.pushPromise, flag.endHeaders, s, Buffer.from([0, 0, 0, 2, 0x82])),
  "answers on a stream that was never opened": (c) => c.answer(99, fine),
  "sends content on a stream that was never opened": (c) => c.send(frameType.data, 0, 99, "x"),
  "interrupts a header block": (c, s) =>
    c.send(frameType.headers, 0, s, Buffer.from([0x88])).send(frameType.ping, 0, 0, Buffer.alloc(8)),
  "sends header pieces without end": (c, s) => {
    c.send(frameType.headers, 0, s, Buffer.from([0x88]));
    for (let count = 0; count < 100; count++) c.send(frameType.continuation, 0, s, "");
  },
  "sends a header block that cannot be decoded": (c, s) =>
    c.send(frameType.headers, flag.endHeaders, s, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
  "floods with PING": (c) => {
    for (let count = 0; count < 10_000; count++) c.send(frameType.ping, 0, 0, Buffer.alloc(8));
  },
  "floods with SETTINGS": (c) => {
    for (let count = 0; count < 10_000; count++) c.write(settingsFrame([]));
  },
  "widens the connection's window too far": (c) => c.write(numberFrame(frameType.windowUpdate, 0, 0x7fffffff)),
  "widens the connection's window by nothing": (c) => c.write(numberFrame(frameType.windowUpdate, 0, 0)),
  "wants first windows that are too large": (c) => c.write(settingsFrame([[setting.initialWindowSize, 0xffffffff]])),
  "sends a frame that is too long": (c) => c.write(Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0])),
};
const streamBreaches: Record<string, Breach> = {
  "answers without a status": (c, s) => c.answer(s, { "x-a": "b" }),
  "answers with 101": (c, s) => c.answer(s, { ":status": "101" }, false),
  "names a field in capitals": (c, s) =>
    c.send(frameType.headers, flag.endHeaders | flag.endStream, s, Buffer.from([0x88, 0, 1, 0x41, 1, 0x62])),
  "sends Connection": (c, s) =>
    c.send(
      frameType.headers,
      flag.endHeaders | flag.endStream,
      s,
      Buffer.concat([Buffer.from([0x88, 0, 10]), Buffer.from("connection"), Buffer.from([1, 0x62])]),
    ),
  "promises content and ends": (c, s) => c.answer(s, { ...fine, "content-length": "5" }),
  "gives interim answers without end": (c, s) => {
    for (let count = 0; count < 40; count++) c.answer(s, { ":status": "102" }, false);
  },
  "sends a head that is too long": (c, s) => {
    c.send(frameType.headers, 0, s, Buffer.from([0x88]));
    const field = Buffer.concat([Buffer.from([0, 1, 0x61, 0x7f, 0xfb, 0x7e]), Buffer.alloc(16_384 - 6, 0x62)]);
    for (let count = 0; count < 10; count++)
      c.send(frameType.continuation, count === 9 ? flag.endHeaders : 0, s, field);
  },
  "widens the window of a stream by nothing": (c, s) => c.write(numberFrame(frameType.windowUpdate, s, 0)),
  "ends its stream with content and no head": (c, s) => c.send(frameType.data, flag.endStream, s, ""),
};

test.each(Object.keys(connectionBreaches))("an upstream that %s gets GOAWAY, and the client 502", async (name) => {
  await using peer = Http2Peer.open({
    onRequest: (connection, { stream }) => connectionBreaches[name]?.(connection, stream),
  });
  await using fixture = open(peer);
  expect((await ask(fixture)).status).toBe(502);
  expect((await fixture.record()).error).toBe("upstream_invalid");
  const first = peer.connections[0];
  await until(() => first?.frames.some(({ type }) => type === frameType.goAway) === true || first?.isClosed === true);
});

test.each(Object.keys(streamBreaches))("an upstream that %s loses that stream only", async (name) => {
  await using peer = Http2Peer.open({
    onRequest: (connection, { stream, count }) => {
      if (count === 1) streamBreaches[name]?.(connection, stream);
      else connection.answer(stream, fine);
    },
  });
  await using fixture = open(peer);
  expect((await ask(fixture)).status).toBe(502);
  expect((await fixture.record()).error).toBe("upstream_invalid");
  expect((await ask(fixture)).status).toBe(200);
  expect(peer.connections).toHaveLength(1);
});

const untouched: Record<string, Breach> = {
  "refuses the stream": (c, s) => c.write(numberFrame(frameType.reset, s, errorCode.refusedStream)),
  "says GOAWAY with an older stream": (c) => c.write(goAwayFrame(0, 0, "")),
};

test.each(Object.keys(untouched))("a POST to an upstream that %s is sent again", async (name) => {
  await using peer = Http2Peer.open({
    onRequest: (connection, { stream, count }) => {
      if (count === 1) untouched[name]?.(connection, stream);
      else connection.answer(stream, fine);
    },
  });
  await using fixture = open(peer);
  expect((await ask(fixture, { method: "POST" })).status).toBe(200);
  expect((await fixture.record()).tries).toBe(2);
});

const wishes: Record<string, Breach> = {
  "a stream": (c, s) => c.write(numberFrame(frameType.reset, s, errorCode.http11Required)),
  "its connection": (c) => c.write(goAwayFrame(0, errorCode.http11Required, "")),
};

test.each(Object.keys(wishes))("an upstream that ends %s because it wants HTTP/1.1 is asked so", async (name) => {
  await using peer = Http2Peer.open({ onRequest: (connection, { stream }) => wishes[name]?.(connection, stream) });
  await using fixture = open(peer);
  expect((await ask(fixture, { method: "POST" })).status).toBe(204);
  expect((await fixture.record()).tries).toBe(2);
  expect(peer.count).toBe(1);
});

test("a body that was streamed is not sent again to an upstream that wants HTTP/1.1, but the next one goes over that", async () => {
  await using peer = Http2Peer.open({
    onRequest: (connection, { stream }) => wishes["a stream"]?.(connection, stream),
  });
  await using fixture = open(peer);
  expect((await ask(fixture, { method: "POST", body: "spent" })).status).toBe(502);
  expect((await fixture.record()).error).toBe("upstream_lost");
  expect((await ask(fixture, { method: "POST", body: "fresh" })).status).toBe(204);
  expect(peer.count).toBe(1);
});

test("an upstream that begins with the wish for HTTP/1.1 is asked so, and nothing else for a while", async () => {
  const wish = Buffer.concat([settingsFrame([]), goAwayFrame(0, errorCode.http11Required, "")]);
  await using peer = Http2Peer.open({ onOpen: (connection) => connection.write(wish) });
  await using fixture = open(peer);
  for (let count = 0; count < 3; count++) expect((await ask(fixture)).status).toBe(204);
  // That with the wish, and the one that is kept for HTTP/1.1.
  expect(peer.connections).toHaveLength(2);
});

test("a handshake that shall come over HTTP/1.1 opens its session there", async () => {
  await using peer = Http2Peer.open({
    onOpen: (connection) => connection.write(settingsFrame([[setting.enableConnectProtocol, 1]])),
    onRequest: (connection, { stream }) => wishes["a stream"]?.(connection, stream),
  });
  await using fixture = open(peer);
  const client = await WsPeer.open(fixture.port);
  expect(peer.count).toBe(1);
  client.socket.terminate();
});

const departures: Record<string, Breach> = {
  "says GOAWAY": (c) => c.write(goAwayFrame(0, 0, "")),
  "refuses the stream": (c, s) => c.write(numberFrame(frameType.reset, s, errorCode.refusedStream)),
};

test.each(Object.keys(departures))("an endpoint that is replaced, and then %s, is not dialled again", async (name) => {
  let asked: (() => void) | undefined;
  await using peer = Http2Peer.open({
    onRequest: (connection, { stream }) => {
      asked = () => departures[name]?.(connection, stream);
    },
  });
  await using other = Http2Peer.open({ onRequest: answerFine });
  await using fixture = open(peer);
  const answer = ask(fixture);
  await until(() => asked !== undefined);
  replace(fixture, other);
  asked?.();
  expect((await answer).status).toBe(200);
  expect([peer.connections.length, other.connections.length]).toEqual([1, 1]);
});

test("an endpoint that is replaced while a connection to it is being made is not dialled again", async () => {
  let begun: Http2PeerConnection | undefined;
  await using peer = Http2Peer.open({
    onOpen: (connection) => {
      begun = connection;
    },
  });
  await using other = Http2Peer.open({ onRequest: answerFine });
  await using fixture = open(peer);
  const answer = ask(fixture);
  await until(() => begun !== undefined);
  replace(fixture, other);
  begun?.write(settingsFrame([]));
  expect((await answer).status).toBe(200);
  expect([peer.connections.length, other.connections.length]).toEqual([1, 1]);
});

test("a stream that GOAWAY leaves open goes on, and the next one takes another connection", async () => {
  await using peer = Http2Peer.open({
    onRequest: (connection, { stream, count }) => {
      if (count === 1) connection.write(goAwayFrame(stream, 0, ""));
      connection.answer(stream, fine, false).send(frameType.data, flag.endStream, stream, "whole");
    },
  });
  await using fixture = open(peer);
  expect(await (await ask(fixture)).text()).toBe("whole");
  expect((await ask(fixture)).status).toBe(200);
  expect(peer.connections).toHaveLength(2);
  await until(() => peer.connections[0]?.isClosed === true);
});

test("an endpoint that is not configured any more gets no streams, and what is open on its connection goes on", async () => {
  await using peer = Http2Peer.open({ onRequest: (connection, { stream }) => connection.answer(stream, fine, false) });
  await using other = Http2Peer.open({ onRequest: answerFine });
  await using fixture = open(peer);
  const answer = await ask(fixture);
  replace(fixture, other);
  expect((await ask(fixture)).status).toBe(200);
  expect([peer.count, other.count]).toEqual([1, 1]);
  peer.connections[0]?.send(frameType.data, flag.endStream, 1, "late");
  expect(await answer.text()).toBe("late");
  await until(() => peer.connections[0]?.isClosed === true);
});

test("RST_STREAM with NO_ERROR behind a whole answer leaves the answer whole", async () => {
  await using peer = Http2Peer.open({
    onRequest: (connection, { stream }) => {
      connection.answer(stream, fine, false).send(frameType.data, 1, stream, "whole");
      connection.write(numberFrame(frameType.reset, stream, errorCode.none));
    },
  });
  await using fixture = open(peer);
  const client = await fixture.connect();
  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
  expect((await client.response()).body.toString()).toBe("whole");
});

test("an upstream that does not speak HTTP/2, or says nothing, gets no request", async () => {
  await using other = Http2Peer.open({ onOpen: (c) => c.write(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")) });
  await using silent = Http2Peer.open({ onOpen: () => {} });
  await using toOther = open(other);
  await using toSilent = open(silent, { timeouts: { connect: "200ms" } });
  expect((await ask(toOther)).status).toBe(502);
  expect((await toOther.record()).error).toBe("upstream_invalid");
  expect((await ask(toSilent)).status).toBe(504);
  expect((await toSilent.record()).error).toBe("upstream_connect_timeout");
  expect(other.count + silent.count).toBe(0);
});

test("an upstream that gives no answer is 504, and its stream is reset", async () => {
  await using peer = Http2Peer.open({});
  await using fixture = open(peer, { timeouts: { request: "200ms" } });
  expect((await ask(fixture)).status).toBe(504);
  await until(() => peer.connections[0]?.frames.some(({ type }) => type === frameType.reset) === true);
});

test("the first header block tells an upstream that wants no table that there is none", async () => {
  await using peer = Http2Peer.open({
    onOpen: (connection) => connection.write(settingsFrame([[setting.headerTableSize, 0]])),
    onRequest: answerFine,
  });
  await using fixture = open(peer);
  for (let count = 0; count < 2; count++) expect((await ask(fixture)).status).toBe(200);
  const blocks = peer.connections[0]?.frames.filter(({ type }) => type === frameType.headers) ?? [];
  expect(blocks.map(({ payload }) => payload[0] === 0x20)).toEqual([true, false]);
});

test("where RFC 8441 is not offered, a WebSocket takes a connection of HTTP/1.1, and requests stay on theirs", async () => {
  await using peer = Http2Peer.open({ onRequest: answerFine });
  await using fixture = open(peer);
  expect((await ask(fixture)).status).toBe(200);
  const socket = await WsPeer.open(fixture.port);
  expect(fixture.gateway.sessions.size).toBe(1);
  expect((await ask(fixture)).status).toBe(200);
  expect(peer.connections).toHaveLength(2);
  socket.socket.terminate();
});
