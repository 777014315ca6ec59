import { describe, expect, test } from "bun:test";
import { errorCode, flag, frameType, numberFrame, settingsFrame } from "../../src/dataplane/http2/frames.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { block, connectFields, getFields, Http2Client } from "../support/http2-client.ts";
import { friendly, ScriptedBackend } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

const listener = { h2c: true };

/** Opens a client, lets it misbehave, and says with which code the gateway ended the connection. */
async function broken(misbehave: (client: Http2Client) => void, more: object = {}): Promise<number | undefined> {
  await using backend = ScriptedBackend.open(friendly);
  await using fixture = GatewayFixture.open({ to: [backend], listener: { ...listener, ...more } });
  await using client = await Http2Client.open(fixture.port);
  misbehave(client);
  await client.raw.untilEnd();
  // Everybody else is still served.
  await using other = await Http2Client.open(fixture.port);
  other.ask(1);
  await until(() => other.heard(1).isEnded);
  expect(other.heard(1).fields[":status"]).toBe("200");
  await until(() => fixture.gateway.status().connections <= 2);
  return client.goAway;
}

test("S25: what exceeds a limit is counted by its name", async () => {
  await using backend = ScriptedBackend.open(() => {});
  await using fixture = GatewayFixture.open({ to: [backend], listener: { ...listener, http2: { streams: 2 } } });
  await using client = await Http2Client.open(fixture.port);
  for (const stream of [1, 3, 5]) client.ask(stream);
  await until(() => client.heard(5).reset === errorCode.refusedStream);
  for (let count = 0; count < 3000; count++) client.send(frameType.ping, 0, 0, Buffer.alloc(8));
  await client.raw.untilEnd();
  const families = fixture.gateway.metrics();
  expect(families.find(({ name }) => name === "causeway_http2_limits_total")?.values).toEqual([
    { labels: { limit: "streams" }, value: 1 },
    { labels: { limit: "idle_frames" }, value: 1 },
  ]);
});

describe("S25: floods end their connection with ENHANCE_YOUR_CALM, and nobody else's", () => {
  const repeat = (count: number, what: (nth: number) => void) => {
    for (let nth = 0; nth < count; nth++) what(nth);
  };
  const floods: Record<string, (client: Http2Client) => void> = {
    "rapid reset": (client) => repeat(2000, (nth) => client.ask(nth * 2 + 1).reset(nth * 2 + 1)),
    "rapid reset of handshakes": (client) =>
      repeat(2000, (nth) => client.ask(nth * 2 + 1, connectFields, false).reset(nth * 2 + 1)),
    "streams that the gateway has to reset": (client) =>
      repeat(2000, (nth) => {
        client.ask(nth * 2 + 1, connectFields, false);
        client.raw.write(numberFrame(frameType.windowUpdate, nth * 2 + 1, 0));
      }),
    "more streams than may be open": (client) => repeat(3000, (nth) => client.ask(nth * 2 + 1, connectFields, false)),
    PING: (client) => repeat(3000, () => client.send(frameType.ping, 0, 0, Buffer.alloc(8))),
    SETTINGS: (client) => repeat(3000, () => client.raw.write(settingsFrame([[setting, 65_535]]))),
    PRIORITY: (client) => repeat(3000, () => client.send(frameType.priority, 0, 1, Buffer.alloc(5))),
    "unknown frames": (client) => repeat(3000, () => client.send(0x42, 0, 1, "x")),
    "empty DATA": (client) => {
      client.ask(1, { ...getFields, ":method": "POST" }, false);
      repeat(3000, () => client.send(frameType.data, 0, 1));
    },
    "empty CONTINUATION": (client) => {
      client.send(frameType.headers, 0, 1, block(getFields));
      repeat(100, () => client.send(frameType.continuation, 0, 1));
    },
    "endless CONTINUATION": (client) => {
      client.send(frameType.headers, 0, 1, block(getFields));
      repeat(20, () => client.send(frameType.continuation, 0, 1, block({ x: "y".repeat(8000) })));
    },
  };
  const setting = 4;
  test.each(Object.keys(floods))("%s", async (name) => {
    const flood = floods[name];
    expect(flood).toBeDefined();
    expect(await broken((client) => flood?.(client))).toBe(errorCode.enhanceYourCalm);
  });
});

describe("RFC 9113: what breaks a rule of the connection ends it with the code for that", () => {
  const cases: Record<string, readonly [code: number, (client: Http2Client) => void]> = {
    "a frame that is too long": [errorCode.frameSize, (client) => client.send(0, 0, 1, Buffer.alloc(16_385))],
    "HEADERS on an even stream": [errorCode.protocol, (client) => client.ask(2)],
    "HEADERS on no stream": [errorCode.protocol, (client) => client.ask(0)],
    "DATA on a stream that was never opened": [errorCode.protocol, (client) => client.send(0, 0, 7, "x")],
    "DATA on no stream": [errorCode.protocol, (client) => client.send(0, 0, 0, "x")],
    "RST_STREAM of a stream that was never opened": [errorCode.protocol, (client) => client.reset(5)],
    "CONTINUATION without HEADERS": [errorCode.protocol, (client) => client.send(frameType.continuation, 4, 1)],
    "another frame inside a header block": [
      errorCode.protocol,
      (client) => client.send(frameType.headers, 0, 1, block(getFields)).send(frameType.ping, 0, 0, Buffer.alloc(8)),
    ],
    "a header block that cannot be decoded": [
      errorCode.compression,
      (client) => client.send(frameType.headers, 5, 1, Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)),
    ],
    "an index that leads nowhere": [
      errorCode.compression,
      (client) => client.send(frameType.headers, 5, 1, Buffer.of(0xbe)),
    ],
    "a window of the connection that grows by nothing": [
      errorCode.protocol,
      (client) => client.raw.write(numberFrame(frameType.windowUpdate, 0, 0)),
    ],
    "a window of the connection that is too large": [
      errorCode.flowControl,
      (client) => client.raw.write(numberFrame(frameType.windowUpdate, 0, 0x7fffffff)),
    ],
    "a first window that is too large": [
      errorCode.flowControl,
      (client) => client.raw.write(settingsFrame([[4, 0x80000000]])),
    ],
    "SETTINGS that ends in the middle": [
      errorCode.frameSize,
      (client) => client.send(frameType.settings, 0, 0, "12345"),
    ],
    "SETTINGS on a stream": [errorCode.protocol, (client) => client.send(frameType.settings, 0, 1)],
    "PING of seven bytes": [errorCode.frameSize, (client) => client.send(frameType.ping, 0, 0, "1234567")],
    PUSH_PROMISE: [errorCode.protocol, (client) => client.send(frameType.pushPromise, 4, 1, "1234")],
    "padding that is longer than its frame": [
      errorCode.protocol,
      (client) => client.ask(1, getFields, false).send(0, flag.padded, 1, Buffer.of(9, 1, 2)),
    ],
    "a preface that goes wrong": [errorCode.protocol, (client) => client.send(frameType.ping, 0, 0)],
  };
  test.each(Object.keys(cases).slice(0, -1))("%s", async (name) => {
    const [code, misbehave] = cases[name] ?? [];
    expect(await broken((client) => misbehave?.(client))).toBe(code as number);
  });
});

describe("RFC 9113 §8: a malformed request costs its stream only", () => {
  const cases: Record<string, readonly (readonly [string, string])[]> = {
    "a name in upper case": [...Object.entries(getFields), ["X-Upper", "1"]],
    "a name that is none": [...Object.entries(getFields), ["x y", "1"]],
    "a value with a line end": [...Object.entries(getFields), ["x", "a\r\nb: c"]],
    "a value with NUL": [...Object.entries(getFields), ["x", "a\0b"]],
    "a value that begins with a space": [...Object.entries(getFields), ["x", " a"]],
    Connection: [...Object.entries(getFields), ["connection", "close"]],
    "Transfer-Encoding": [...Object.entries(getFields), ["transfer-encoding", "chunked"]],
    Upgrade: [...Object.entries(getFields), ["upgrade", "h2c"]],
    "TE that is not trailers": [...Object.entries(getFields), ["te", "gzip"]],
    "no :path": [
      [":method", "GET"],
      [":scheme", "http"],
      [":authority", "a.example"],
    ],
    "no :method": [
      [":path", "/"],
      [":scheme", "http"],
      [":authority", "a.example"],
    ],
    "no :scheme": [
      [":method", "GET"],
      [":path", "/"],
      [":authority", "a.example"],
    ],
    "two :path": [...Object.entries(getFields), [":path", "/other"]],
    "a pseudo-header field behind others": [["x", "1"], ...Object.entries(getFields)],
    "an unknown pseudo-header field": [[":secret", "1"], ...Object.entries(getFields)],
    ":status in a request": [[":status", "200"], ...Object.entries(getFields)],
    ":protocol without CONNECT": [[":protocol", "websocket"], ...Object.entries(getFields)],
    "two Host fields": [...Object.entries(getFields), ["host", "app.example"], ["host", "other.example"]],
    "a Content-Length that is no number": [...Object.entries(getFields), ["content-length", "1,1"]],
  };
  test.each(Object.keys(cases))("%s", async (name) => {
    await using backend = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({ to: [backend], listener });
    await using client = await Http2Client.open(fixture.port);
    client.ask(1, cases[name] ?? []).ask(3);
    await until(() => client.heard(1).reset !== undefined && client.heard(3).isEnded);
    expect([client.heard(1).reset, client.heard(3).fields[":status"]]).toEqual([errorCode.protocol, "200"]);
    expect(backend.requests).toHaveLength(1);
    expect(fixture.records.filter((record) => record.kind === "http" && record.error === "bad_request")).toHaveLength(
      1,
    );
  });

  test("content that is longer or shorter than its Content-Length", async () => {
    await using backend = ScriptedBackend.open(friendly);
    await using fixture = GatewayFixture.open({ to: [backend], listener });
    await using client = await Http2Client.open(fixture.port);
    const fields = { ...getFields, ":method": "POST", "content-length": "4" };
    client.ask(1, fields, false).send(0, flag.endStream, 1, "12345");
    client.ask(3, fields, false).send(0, flag.endStream, 3, "123");
    await until(() => client.heard(1).reset !== undefined && client.heard(3).reset !== undefined);
    expect([client.heard(1).reset, client.heard(3).reset]).toEqual([errorCode.protocol, errorCode.protocol]);
  });
});

test.each([
  ["a path with a dot segment", { ":path": "/a/../b" }, "400"],
  [":authority and Host that differ", { host: "other.example" }, "400"],
  ["CONNECT without :protocol", { ":method": "CONNECT" }, "405"],
  ["TRACE", { ":method": "TRACE" }, "405"],
  ["a path that is too long", { ":path": `/${"x".repeat(9000)}` }, "414"],
  ["too many header fields", pairs(120, 1), "431"],
])("%s is answered with %s", async (_, fields, status) => {
  await using fixture = GatewayFixture.open({ listener });
  await using client = await Http2Client.open(fixture.port);
  client.ask(1, { ...getFields, ...fields });
  await until(() => client.heard(1).isEnded);
  expect(client.heard(1).fields[":status"]).toBe(status);
});

test("header fields that are too long are answered with 431, and a block that never ends is not read", async () => {
  await using fixture = GatewayFixture.open({ listener });
  await using client = await Http2Client.open(fixture.port);
  client.send(frameType.headers, flag.endStream, 1, block({ ...getFields, x: "y".repeat(16_000) }));
  client.send(frameType.continuation, 0, 1, block({ x: "y".repeat(16_000) }));
  client.send(frameType.continuation, flag.endHeaders, 1, block({ x: "y".repeat(16_000) }));
  await until(() => client.heard(1).isEnded);
  expect(client.heard(1).fields[":status"]).toBe("431");
});

function pairs(count: number, size: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, nth) => [`x-${nth}`, "y".repeat(size)]));
}

test("a small block that unfolds into megabytes is refused, and costs nothing", async () => {
  await using fixture = GatewayFixture.open({ listener });
  await using client = await Http2Client.open(fixture.port);
  const large = Buffer.concat([
    Buffer.of(0x40, 1),
    Buffer.from("x"),
    Buffer.of(0x7f, 0xa1, 0x1e),
    Buffer.alloc(4000, 0x79),
  ]);
  client.send(frameType.headers, 5, 1, Buffer.concat([block(getFields), large, Buffer.alloc(12_000, 0xbe)]));
  await until(() => client.heard(1).isEnded);
  expect(client.heard(1).fields[":status"]).toBe("431");
});
