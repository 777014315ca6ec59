import { expect, test } from "bun:test";
import { setImmediate as turn } from "node:timers/promises";
import { FakeSocket } from "../../../test/support/fake-socket.ts";
import { Parking } from "../../core/parking.ts";
import { silentReceiver } from "../../core/wire.ts";
import { SocketWire } from "./socket-wire.ts";

function open() {
  const socket = new FakeSocket();
  const faults: string[] = [];
  const wire = new SocketWire({
    socket: socket.owned,
    peer: { address: "192.0.2.1", port: 1 },
    receiver: silentReceiver,
    keeper: { onGone() {}, onFault: (error) => faults.push(String(error)) },
  });
  return { socket, wire, faults };
}

test("the first piece waits for the end of the turn, the next one goes at once behind it", async () => {
  const { socket, wire } = open();
  expect(wire.writeFramed("head ", Buffer.from("body"), " tail")).toBe(0);
  await Promise.resolve();
  expect(socket.calls).toEqual([]);
  await turn();
  expect(socket.calls).toEqual(["write head body tail"]);
  wire.write(Buffer.from("one "));
  wire.writeFramed("two ");
  expect(socket.sent).toBe("head body tailone two ");
});

test("a long piece goes at once, and behind what waited", () => {
  const { socket, wire } = open();
  wire.writeFramed("before ");
  wire.write(Buffer.alloc(20_000, "x"));
  expect(socket.sent).toBe(`before ${"x".repeat(20_000)}`);
});

test("what the kernel leaves of pieces put together is each wire's own", async () => {
  const both = [open(), open()] as const;
  // Long enough to be queued as it is.
  const bodies = ["d", "e"].map((letter) => Buffer.alloc(4000, letter)) as [Buffer, Buffer];
  for (const [at, { socket, wire }] of both.entries()) {
    socket.room = 3;
    wire.writeFramed(`${at}abc`, bodies[at], "ghi");
  }
  await turn();
  expect(both.map(({ wire }) => wire.queued)).toEqual([4004, 4004]);
  for (const { socket, wire } of both) {
    socket.room = Number.POSITIVE_INFINITY;
    wire.drained();
  }
  expect(both.map(({ socket }) => socket.sent)).toEqual([`0abc${bodies[0]}ghi`, `1abc${bodies[1]}ghi`]);
});

test("what is queued goes on to the kernel while somebody parks what comes, but not while the wire is frozen", () => {
  const { socket, wire } = open();
  socket.room = 2;
  wire.write(Buffer.from("12345678"));
  expect(wire.queued).toBe(6);
  wire.receiver = new Parking();
  socket.room = 2;
  wire.drained();
  expect(socket.sent).toBe("1234");
  wire.freeze();
  socket.room = 2;
  wire.drained();
  expect(socket.sent).toBe("1234");
  wire.thaw({ receiver: silentReceiver, isPaused: false });
  expect(socket.sent).toBe("123456");
});

test("whoever asks what is queued, or stops the wire, has it sent first", () => {
  const { socket, wire } = open();
  socket.room = 2;
  wire.write(Buffer.from("12345"));
  expect(wire.queued).toBe(3);
  const other = open();
  other.socket.room = 0;
  other.wire.writeFramed("kept");
  const { state } = other.wire.freeze();
  expect(Buffer.from(state.queued, "base64").toString()).toBe("kept");
});

test("an end, or a destruction, comes behind what was written", () => {
  for (const how of ["end", "destroy"] as const) {
    const { socket, wire } = open();
    wire.write(Buffer.from("last words"));
    wire[how]();
    expect(socket.calls).toEqual(["write last words", how === "end" ? "shutdown" : "end"]);
  }
});

test("a fault of the receiver takes nothing away that was written before, and one of the socket none but its own", async () => {
  const { socket, wire, faults } = open();
  wire.write(Buffer.from("good"));
  wire.failed(new Error("receiver"));
  expect(socket.calls).toEqual(["write good", "end"]);
  const [broken, fine] = [open(), open()];
  broken.socket.failure = new Error("socket");
  broken.wire.write(Buffer.from("x"));
  fine.wire.write(Buffer.from("y"));
  await turn();
  expect([faults, broken.faults]).toEqual([["Error: receiver"], ["Error: socket"]]);
  expect([broken.wire.isClosed, fine.socket.sent]).toEqual([true, "y"]);
});

test("the memory of what came, and went out again whole, is given back; of all else it stays", () => {
  const { socket, wire } = open();
  const source = open().wire;
  const receive = (bytes: Uint8Array, pass = (piece: Uint8Array): unknown => wire.write(piece)): number => {
    source.receiver = { ...silentReceiver, onBytes: pass };
    source.received(bytes);
    return bytes.length;
  };
  expect(receive(new Uint8Array(20_000))).toBe(0);
  const two = new Uint8Array(40_000);
  expect(receive(two.subarray(0, 20_000))).toBe(20_000);
  expect(receive(new Uint8Array(20_000), (piece) => wire.write(piece.subarray(1)))).toBe(20_000);
  const kept = new Uint8Array(20_000);
  expect(receive(new Uint8Array(20_000), () => wire.write(kept))).toBe(20_000);
  expect(kept.length).toBe(20_000);
  // Less waits for the end of the turn.
  expect(receive(new Uint8Array(5000))).toBe(5000);
  expect(wire.queued).toBe(0);
  socket.room = 19_999;
  expect(receive(new Uint8Array(20_000))).toBe(20_000);
  expect(wire.queued).toBe(1);
});
