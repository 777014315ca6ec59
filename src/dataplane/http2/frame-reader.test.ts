import { expect, test } from "bun:test";
import { FrameReader } from "./frame-reader.ts";
import { ConnectionFault, makeFrame } from "./frames.ts";

const frames = [0, 1, 9, 300, 16_384, 0, 700].map((size, nth) =>
  makeFrame({ type: nth, flags: nth * 2, stream: nth * 3 }, Buffer.alloc(size, nth)),
);

function readAll(reader: FrameReader, pieces: readonly Uint8Array[]): Buffer[] {
  const found: Buffer[] = [];
  for (const piece of pieces) {
    reader.add(piece);
    while (reader.next()) {
      const { type, flags, stream, payload } = reader;
      found.push(makeFrame({ type, flags, stream }, payload));
    }
  }
  return found;
}

test.each([1, 2, 5, 9, 10, 64, 1000, 16_393, 100_000])(
  "frames that come in pieces of %d bytes are found whole",
  (size) => {
    const all = Buffer.concat([Buffer.from("begin"), ...frames]);
    const pieces: Buffer[] = [];
    for (let at = 0; at < all.length; at += size) pieces.push(Buffer.from(all.subarray(at, at + size)));
    const reader = new FrameReader();
    while (reader.take(5) === undefined) reader.add(pieces.shift() ?? Buffer.alloc(0));
    expect(readAll(reader, [Buffer.alloc(0), ...pieces])).toEqual(frames);
  },
);

test("a frame that is too long is refused when its head is there", () => {
  const reader = new FrameReader();
  reader.add(Buffer.of(0, 0x40, 1, 0));
  expect(reader.next()).toBe(false);
  reader.add(Buffer.of(0, 0, 0, 0, 1));
  expect(() => reader.next()).toThrow(ConnectionFault);
});
