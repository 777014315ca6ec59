import { expect, test } from "bun:test";
import { silentReceiver } from "../../core/wire.ts";
import { errorCode, frameType, StreamFault } from "./frames.ts";
import { Stream, type StreamOwner, streamWindow } from "./stream.ts";

/** A connection that writes down what its only stream does. */
class FakeOwner implements StreamOwner {
  readonly peer = { address: "127.0.0.1", port: 1 };
  readonly security = undefined;
  readonly sent: string[] = [];
  readonly got: string[] = [];
  room = 100_000;
  held = 0;
  isOver = false;
  readonly stream: Stream;

  constructor(sendWindow = 65_535) {
    this.stream = new Stream(1, this, sendWindow);
    this.stream.receiver = {
      onBytes: (bytes) => this.got.push(`${bytes.length}`),
      onWritable: () => this.got.push("writable"),
      onEnd: () => this.got.push("end"),
      onClose: (error) => this.got.push(error === undefined ? "close" : error.message),
    };
  }

  send(frame: Uint8Array): void {
    const name = Object.entries(frameType).find(([, type]) => type === frame[3])?.[0] ?? "";
    this.sent.push(`${name} ${Buffer.from(frame).readUInt32BE(9)}`);
  }

  sendData(_: number, bytes: Uint8Array, isLast: boolean): void {
    this.room -= bytes.length;
    this.sent.push(isLast ? "end" : `data ${bytes.length}`);
  }

  await(): void {}

  hold(count: number): void {
    this.held += count;
  }

  over(): void {
    this.isOver = true;
  }
}

test("what is read opens the window again, and what waits does not", () => {
  const owner = new FakeOwner();
  const { stream } = owner;
  for (let count = 0; count < 8; count++) stream.onData(Buffer.alloc(8192), 8192, false);
  expect(owner.sent).toEqual(["windowUpdate 65536"]);
  stream.pause();
  for (let count = 0; count < 16; count++) stream.onData(Buffer.alloc(8192), 8192, false);
  expect([owner.sent.length, owner.held]).toEqual([1, streamWindow]);
  expect(() => stream.onData(Buffer.alloc(1), 1, false)).toThrow(StreamFault);
  stream.resume();
  expect([owner.sent[1], owner.held]).toEqual([`windowUpdate ${streamWindow}`, 0]);
});

test("the end is heard behind what waits, and both ends close the stream", () => {
  const owner = new FakeOwner();
  const { stream } = owner;
  stream.pause();
  stream.onData(Buffer.from("abc"), 3, true);
  expect(owner.got).toEqual([]);
  stream.end();
  expect([owner.sent, owner.isOver, stream.isClosed]).toEqual([["end"], true, false]);
  stream.resume();
  expect(owner.got).toEqual(["3", "end", "close"]);
  expect(() => stream.onData(Buffer.from("x"), 1, false)).toThrow(StreamFault);
});

test("a receiver that pauses while it is given what waited gets the rest later, in order", () => {
  const owner = new FakeOwner();
  const { stream } = owner;
  stream.pause();
  for (const size of [5000, 5001, 5002]) stream.onData(Buffer.alloc(size), size, false);
  const got: number[] = [];
  stream.receiver = { ...silentReceiver, onBytes: (bytes) => got.push(bytes.length) && stream.pause() };
  stream.resume();
  expect(got).toEqual([5000]);
  stream.resume();
  stream.resume();
  expect([got, owner.held]).toEqual([[5000, 5001, 5002], 0]);
});

test("as much is sent as both windows let through, in frames of at most 16 KB, and the end behind all of it", () => {
  const owner = new FakeOwner(20_000);
  const { stream } = owner;
  expect(stream.write(Buffer.alloc(30_000))).toBe(10_000);
  stream.end();
  expect(owner.sent).toEqual(["data 16384", "data 3616"]);
  owner.room = 4000;
  stream.widen(50_000);
  expect(stream.pump()).toBe(true);
  expect([owner.sent.at(-1), stream.queued]).toEqual(["data 4000", 6000]);
  owner.room = 100_000;
  expect(stream.pump()).toBe(false);
  expect(owner.sent.slice(-2)).toEqual(["data 6000", "end"]);
  expect(owner.got).toEqual(["writable", "writable"]);
  expect(() => stream.widen(0x7fffffff)).toThrow(StreamFault);
});

test("a reset is sent once, nothing is heard after it, and what waited is let go", () => {
  const owner = new FakeOwner();
  const { stream } = owner;
  stream.pause();
  stream.onData(Buffer.alloc(3000), 3000, false);
  stream.destroy();
  stream.destroy();
  stream.onGone(new Error("too late"));
  expect(owner.sent).toEqual([`reset ${errorCode.cancel}`]);
  expect([owner.got, owner.held, owner.isOver, stream.write(Buffer.alloc(1))]).toEqual([[], 0, true, 0]);
});

test("a client that is gone is heard at once, also by a receiver that has paused", () => {
  const owner = new FakeOwner();
  const { stream } = owner;
  stream.pause();
  stream.onData(Buffer.alloc(3000), 3000, false);
  stream.onGone(new Error("reset by the client"));
  expect([owner.got, owner.held, stream.isClosed]).toEqual([["reset by the client"], 0, true]);
});
