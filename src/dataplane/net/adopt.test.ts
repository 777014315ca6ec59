import { dlopen, FFIType } from "bun:ffi";
import { expect, test } from "bun:test";
import { until } from "../../../test/support/until.ts";
import { silentReceiver } from "../../core/wire.ts";
import { TimerWheel } from "../../kit/timer-wheel.ts";
import { adopt } from "./adopt.ts";
import { dial } from "./dial.ts";
import { PortListener } from "./listen.ts";
import type { SocketWire } from "./socket-wire.ts";

const keeper = { onGone() {}, onFault() {} };

/** A connection whose near end a test moves, and the peer at its far end. */
async function connected() {
  const wires: SocketWire[] = [];
  const listener = PortListener.open({
    host: "127.0.0.1",
    port: 0,
    keeper,
    onConnection: (wire) => {
      wires.push(wire);
      return silentReceiver;
    },
  });
  const seen = { bytes: 0, hash: new Bun.CryptoHasher("sha1"), hasEnded: false, isClosed: false };
  const receiver = {
    onBytes(bytes: Uint8Array) {
      seen.bytes += bytes.length;
      seen.hash.update(bytes);
    },
    onWritable() {},
    onEnd() {
      seen.hasEnded = true;
    },
    onClose() {
      seen.isClosed = true;
    },
  };
  const to = { host: "127.0.0.1", port: listener.port };
  const peer = await dial({ to, receiver, wheel: new TimerWheel(), timeoutMs: 0, keeper });
  await until(() => wires.length === 1);
  listener.close();
  const [wire] = wires;
  if (wire === undefined) throw new Error("nobody connected");
  return { wire, peer, seen };
}

/** Moves a wire as another process would take it: by a descriptor of its own. */
function move(wire: SocketWire): SocketWire {
  const { state, descriptor } = wire.freeze();
  const adopted = adopt({ descriptor: duplicate(descriptor), state: JSON.parse(JSON.stringify(state)), keeper });
  wire.letGo();
  return adopted;
}

function duplicate(descriptor: number): number {
  const { symbols } = dlopen("libc.so.6", { dup: { args: [FFIType.i32], returns: FFIType.i32 } });
  return symbols.dup(descriptor);
}

test("a wire that thaws again has lost nothing", async () => {
  const { wire, peer, seen } = await connected();
  const got: string[] = [];
  const receiver = { ...silentReceiver, onBytes: (bytes: Uint8Array) => got.push(Buffer.from(bytes).toString()) };
  wire.freeze();
  peer.write(Buffer.from("while it was frozen"));
  wire.thaw({ receiver, isPaused: false });
  await until(() => got.length === 1);
  expect(got).toEqual(["while it was frozen"]);
  wire.write(Buffer.from("answer"));
  await until(() => seen.bytes === 6);
  peer.destroy();
});

test("what was written just before a wire moves is sent", async () => {
  const { wire, peer, seen } = await connected();
  wire.write(Buffer.from("just now"));
  const adopted = move(wire);
  adopted.thaw({ receiver: silentReceiver, isPaused: false });
  await until(() => seen.bytes === 8);
  adopted.destroy();
  peer.destroy();
});

test("a wire that is adopted sends what waited, and then what is new, and hears what came meanwhile", async () => {
  const { wire, peer, seen } = await connected();
  const expected = new Bun.CryptoHasher("sha1");
  const send = (through: SocketWire, size: number): void => {
    const bytes = crypto.getRandomValues(new Uint8Array(size));
    expected.update(bytes);
    through.write(bytes);
  };
  peer.pause();
  for (let at = 0; at < 200; at++) send(wire, 60_000 + at);
  expect(wire.queued).toBeGreaterThan(100_000);
  const adopted = move(wire);
  peer.write(Buffer.from("meanwhile"));
  const got: string[] = [];
  const receiver = { ...silentReceiver, onBytes: (bytes: Uint8Array) => got.push(Buffer.from(bytes).toString()) };
  adopted.thaw({ receiver, isPaused: false });
  send(adopted, 1000);
  peer.resume();
  await until(() => seen.bytes === 200 * 60_000 + 19_900 + 1000);
  expect(seen.hash.digest("hex")).toBe(expected.digest("hex"));
  await until(() => got.length === 1);
  expect(got).toEqual(["meanwhile"]);
  expect([seen.hasEnded, seen.isClosed]).toEqual([false, false]);
  adopted.end();
  await until(() => seen.hasEnded);
  peer.destroy();
});

test("an end of our direction that waited behind bytes is sent behind them", async () => {
  const { wire, peer, seen } = await connected();
  peer.pause();
  for (let at = 0; at < 100; at++) wire.write(new Uint8Array(60_000));
  wire.end();
  const adopted = move(wire);
  adopted.thaw({ receiver: silentReceiver, isPaused: false });
  peer.resume();
  await until(() => seen.hasEnded);
  expect(seen.bytes).toBe(6_000_000);
  peer.destroy();
});

test("the end of the peer's direction is told once, whichever process it came to", async () => {
  const { wire, peer, seen } = await connected();
  let ends = 0;
  const receiver = { ...silentReceiver, onEnd: () => ends++ };
  wire.receiver = receiver;
  peer.end();
  await until(() => ends === 1);
  const adopted = move(wire);
  adopted.thaw({ receiver, isPaused: false });
  adopted.write(Buffer.from("still open"));
  await until(() => seen.bytes === 10);
  expect(ends).toBe(1);
  adopted.end();
  await until(() => seen.isClosed);
});

test("a connection whose both directions end after it was moved is gone", async () => {
  const { wire, peer, seen } = await connected();
  wire.end();
  await until(() => seen.hasEnded);
  const adopted = move(wire);
  adopted.thaw({ receiver: silentReceiver, isPaused: false });
  peer.end();
  await until(() => adopted.isClosed && seen.isClosed);
});

test("a port whose listener is adopted loses nobody who waits to be accepted", async () => {
  const accepted: string[] = [];
  const take = (name: string) => (): typeof silentReceiver => {
    accepted.push(name);
    return silentReceiver;
  };
  const where = { host: "127.0.0.1", keeper };
  const before = PortListener.open({ ...where, port: 0, onConnection: take("before") });
  const descriptor = duplicate(before.descriptor);
  before.close();
  const to = { host: "127.0.0.1", port: before.port };
  const connect = () => dial({ to, receiver: silentReceiver, wheel: new TimerWheel(), timeoutMs: 0, keeper });
  const peers = await Promise.all(Array.from({ length: 100 }, connect));
  const after = PortListener.open({ ...where, port: before.port, descriptor, onConnection: take("after") });
  await until(() => accepted.length === 100);
  expect(new Set(accepted)).toEqual(new Set(["after"]));
  expect(after.port).toBe(before.port);
  after.close();
  await expect(connect()).rejects.toThrow();
  for (const peer of peers) peer.destroy();
});
