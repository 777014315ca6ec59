import { expect, test } from "bun:test";
import { acceptFor } from "../../src/core/websocket-handshake.ts";
import { makeFrame, readFrames, someMask } from "../support/frames.ts";
import { GatewayFixture } from "../support/gateway-fixture.ts";
import { handshake } from "../support/handshake.ts";
import { errorCode, header } from "../support/http-message.ts";
import { type BackendConnection, ScriptedBackend, silent } from "../support/scripted-backend.ts";
import { until } from "../support/until.ts";

function switching(key: string): Buffer {
  const accept = acceptFor(key);
  return Buffer.from(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
}

async function readKey(connection: BackendConnection): Promise<string> {
  return header(await connection.request(), "sec-websocket-key") ?? "";
}

/** Opens a socket and returns what came behind the 101, once it is as long as `length`. */
async function open(fixture: GatewayFixture, target: string, length: number): Promise<Buffer> {
  const client = await fixture.connect();
  client.write(handshake({ target }));
  const { status } = await client.response();
  expect(status).toBe(101);
  await until(() => client.received.length >= length);
  const came = client.received;
  client.reset();
  return came;
}

test("AC-13.1: a 101 and any number of frames in one write all arrive, in order", async () => {
  const sizes = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
  const frames = (count: number, size: number) =>
    Buffer.concat(
      Array.from({ length: count }, (_, at) => makeFrame({ opcode: 2, payload: Buffer.alloc(size, at + 1) })),
    );
  await using backend = ScriptedBackend.open(async (connection) => {
    const request = await connection.request();
    const [, count = 0, size = 0] = request.line.split(" ")[1]?.split("/").map(Number) ?? [];
    connection.switch(request, { bytes: frames(count, size) });
  });
  await using fixture = GatewayFixture.open({ to: [backend] });
  for (const size of sizes) {
    for (let count = 0; count <= 10; count++) {
      const sent = frames(count, size);
      const came = await open(fixture, `/${count}/${size}`, sent.length);
      expect(came.equals(sent)).toBe(true);
    }
  }
}, 20_000);

test("AC-13.1: a 101 that is split at any byte, with the frame behind it, loses nothing", async () => {
  const frame = makeFrame({ opcode: 1, payload: "hello" });
  const length = switching("").length + frame.length;
  await using backend = ScriptedBackend.open(async (connection) => {
    const request = await connection.request();
    const at = Number(request.line.split(" ")[1]?.slice(1));
    const bytes = Buffer.concat([switching(header(request, "sec-websocket-key") ?? ""), frame]);
    connection.write(bytes.subarray(0, at));
    await Bun.sleep(4);
    connection.write(bytes.subarray(at));
  });
  await using fixture = GatewayFixture.open({ to: [backend] });
  for (let from = 0; from < length; from += 20) {
    const offsets = Array.from({ length: Math.min(20, length - from) }, (_, step) => from + step);
    const came = await Promise.all(offsets.map((at) => open(fixture, `/${at}`, frame.length)));
    expect(came.every((bytes) => bytes.equals(frame))).toBe(true);
  }
}, 20_000);

test("AC-13.1: a Close directly behind the 101 is not lost, nor the end of the connection behind it", async () => {
  const close = makeFrame({ opcode: 8, payload: Buffer.from([0x10, 0xe1, 0x78]) });
  await using backend = ScriptedBackend.open(async (connection) => {
    const key = await readKey(connection);
    connection.write(Buffer.concat([switching(key), close]));
    connection.end();
  });
  await using fixture = GatewayFixture.open({ to: [backend] });
  for (let count = 0; count < 100; count++) {
    expect(readFrames(await open(fixture, "/", close.length)).frames).toMatchObject([{ code: 4321, reason: "x" }]);
  }
  await until(() => fixture.gateway.sessions.size === 0);
});

test("AC-13.2: frames that come with the handshake wait for the upstream's 101, and then arrive in order", async () => {
  const seen: number[] = [];
  const frames = Array.from({ length: 20 }, (_, at) =>
    makeFrame({ opcode: 1, payload: `early ${at}`, mask: someMask }),
  );
  await using backend = ScriptedBackend.open(async (connection) => {
    const request = await connection.request();
    await Bun.sleep(30);
    seen.push(connection.rest.length);
    connection.switch(request);
  });
  await using fixture = GatewayFixture.open({ to: [backend] });
  const client = await fixture.connect();
  client.write(Buffer.concat([Buffer.from(handshake()), ...frames.slice(0, 10)]));
  for (const frame of frames.slice(10)) client.write(frame);
  await client.response();
  const connection = await backend.connection();
  await until(() => connection.rest.length >= Buffer.concat(frames).length);
  expect(seen).toEqual([0]);
  expect(connection.rest.equals(Buffer.concat(frames))).toBe(true);
});

test("AC-13.2: up to 64 KB is held, and delivered only after the 101", async () => {
  let isReleased = false;
  await using backend = ScriptedBackend.open(async (connection) => {
    const asked = await connection.request();
    await connection.until(() => isReleased);
    expect(connection.rest.length).toBe(0);
    connection.switch(asked);
  });
  await using gateway = GatewayFixture.open({ to: [backend] });
  await using client = await gateway.connect();
  // One masked frame of 65,536 bytes in all.
  const frame = Buffer.alloc(65_536, 0x61);
  frame.set([0x82, 0xfe, (65_536 - 8) >> 8, (65_536 - 8) & 255, 0, 0, 0, 0]);
  client.write(Buffer.concat([Buffer.from(handshake()), frame]));
  await client.untilWritten();
  await (await backend.connection()).until(() => backend.requests.length === 1);
  isReleased = true;
  expect((await client.response()).status).toBe(101);
  const upstream = await backend.connection();
  await upstream.until(() => upstream.rest.length === frame.length);
  expect(upstream.rest.equals(frame)).toBe(true);
});

test("AC-13.2: more than that is answered with 400, and nothing of it goes on", async () => {
  await using backend = ScriptedBackend.open(silent);
  await using gateway = GatewayFixture.open({ to: [backend] });
  const client = await gateway.ask(Buffer.concat([Buffer.from(handshake()), Buffer.alloc(65_537)]));
  const response = await client.response();
  expect([response.status, errorCode(response)]).toEqual([400, "early_data_too_long"]);
  const upstream = await backend.connection();
  await upstream.until(() => upstream.hasEnded);
  expect(upstream.text).not.toContain("\0");
});
