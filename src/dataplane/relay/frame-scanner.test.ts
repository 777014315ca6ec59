import { describe, expect, test } from "bun:test";
import { closeContent, type FrameParts, makeFrame, someMask } from "../../../test/support/frames.ts";
import { type ScannerNotes, scanner } from "../../../test/support/scanner-notes.ts";
import type { Violation } from "./frame-scanner.ts";

/** Scans pieces and tells what came of it. */
function scan(pieces: readonly Uint8Array[], options: Parameters<typeof scanner>[0] = {}): ScannerNotes {
  const { notes, scanned } = scanner(options);
  for (const piece of pieces) scanned.scan(piece);
  return notes;
}

const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 70_001];

describe("frames of every length form", () => {
  test.each(sizes)("%d bytes pass unchanged, masked and unmasked, and are counted", (size) => {
    for (const mask of [undefined, someMask]) {
      const bytes = makeFrame({ opcode: 2, payload: new Uint8Array(size).fill(7), ...(mask && { mask }) });
      const { notes, scanned } = scanner({ isMasked: mask !== undefined });
      scanned.scan(bytes);
      expect(notes.all.equals(bytes)).toBe(true);
      expect(notes.violations).toEqual([]);
      expect(scanned).toMatchObject({ frames: 1, messages: 1, binary: 1, bytes: size, isAtBoundary: true });
    }
  });

  test("a split at any byte changes nothing", () => {
    const mask = someMask;
    const bytes = Buffer.concat([
      makeFrame({ opcode: 1, payload: "a", isFinal: false, mask }),
      makeFrame({ opcode: 9, payload: "are you there", mask }),
      makeFrame({ opcode: 0, payload: new Uint8Array(200).fill(5), isFinal: false, mask }),
      makeFrame({ opcode: 10, payload: "x", mask }),
      makeFrame({ opcode: 0, mask }),
      makeFrame({ opcode: 2, payload: new Uint8Array(300), lengthForm: 16, mask }),
    ]);
    for (let at = 0; at <= bytes.length; at++) {
      const { notes, scanned } = scanner({ isMasked: true });
      scanned.scan(bytes.subarray(0, at));
      scanned.scan(bytes.subarray(at));
      expect(notes.all.equals(bytes)).toBe(true);
      expect(scanned).toMatchObject({
        frames: 6,
        messages: 2,
        text: 1,
        binary: 1,
        continuations: 2,
        pings: 1,
        pongs: 1,
      });
    }
  });

  test("byte by byte nothing changes, and nothing but headers and control frames is held back", () => {
    const bytes = Buffer.concat([
      makeFrame({ opcode: 2, payload: new Uint8Array(70_000), mask: someMask }),
      makeFrame({ opcode: 9, payload: "ping", mask: someMask }),
      makeFrame({ opcode: 8, payload: closeContent(1000, "bye"), mask: someMask }),
    ]);
    const { notes, scanned } = scanner({ isMasked: true });
    let longestHeld = 0;
    for (let at = 0; at < bytes.length; at++) {
      scanned.scan(bytes.subarray(at, at + 1));
      if (notes.closes.length === 0) longestHeld = Math.max(longestHeld, at + 1 - notes.passedBytes);
    }
    expect(longestHeld).toBeLessThanOrEqual(131);
    expect(Buffer.concat([notes.all, notes.closes[0]?.frame ?? new Uint8Array(0)]).equals(bytes)).toBe(true);
  });
});

describe("violations", () => {
  const huge = (claims: bigint): FrameParts => ({ opcode: 2, claims, lengthForm: 64 });
  const table: readonly (readonly [string, FrameParts, Violation["code"]])[] = [
    ["a length of 2^53", huge(2n ** 53n), 1009],
    ["a length of 2^63-1", huge(2n ** 63n - 1n), 1009],
    ["a length of 2^63", huge(2n ** 63n), 1002],
    ["a length of 2^64-1", huge(2n ** 64n - 1n), 1002],
    ["125 written in 16 bits", { opcode: 2, payload: new Uint8Array(125), lengthForm: 16 }, 1002],
    ["0 written in 16 bits", { opcode: 1, lengthForm: 16 }, 1002],
    ["65535 written in 64 bits", { opcode: 2, payload: new Uint8Array(65_535), lengthForm: 64 }, 1002],
    ["125 written in 64 bits", { opcode: 2, payload: new Uint8Array(125), lengthForm: 64 }, 1002],
    ["a ping of 126 bytes", { opcode: 9, payload: new Uint8Array(126) }, 1002],
    ["a Close whose length is written in 64 bits", { opcode: 8, lengthForm: 64, payload: "" }, 1002],
    ["a ping in fragments", { opcode: 9, isFinal: false }, 1002],
    ["a Close in fragments", { opcode: 8, isFinal: false }, 1002],
    ["a continuation of nothing", { opcode: 0, payload: "x" }, 1002],
    ["the first reserved bit", { opcode: 1, reserved: 0x40 }, 1002],
    ["the second reserved bit", { opcode: 2, reserved: 0x20 }, 1002],
    ["the third reserved bit on a ping", { opcode: 9, reserved: 0x10 }, 1002],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
      (opcode) => [`the reserved opcode ${opcode}`, { opcode, payload: "x" }, 1002] as const,
    ),
    ["half a close code", { opcode: 8, payload: "\x03" }, 1002],
    ["a reason that is not UTF-8", { opcode: 8, payload: Buffer.from([3, 232, 0xc3, 0x28]) }, 1007],
    ["a reason that ends inside a character", { opcode: 8, payload: Buffer.from([3, 232, 0xe2, 0x82]) }, 1007],
    ["a reason with a surrogate", { opcode: 8, payload: Buffer.from([3, 232, 0xed, 0xa0, 0x80]) }, 1007],
  ];

  test.each(table)("%s is one, from both sides, and is never passed on", (_name, parts, code) => {
    for (const mask of [undefined, someMask]) {
      const before = makeFrame({ opcode: 1, payload: "good", ...(mask && { mask }) });
      const bytes = Buffer.concat([before, makeFrame({ ...parts, ...(mask && { mask }) }), before]);
      for (const pieces of [[bytes], [...bytes].map((byte) => Uint8Array.of(byte))]) {
        const notes = scan(pieces, { isMasked: mask !== undefined });
        expect(notes.violations.map((violation) => violation.code)).toEqual([code]);
        expect(notes.all.equals(before)).toBe(true);
        expect(notes.closes).toEqual([]);
      }
    }
  });

  test("an unmasked frame from a client, and a masked one from an upstream", () => {
    const unmasked = scan([makeFrame({ opcode: 1, payload: "x" })], { isMasked: true });
    expect(unmasked).toMatchObject({ violations: [{ code: 1002 }], passed: [] });
    const masked = scan([makeFrame({ opcode: 1, payload: "x", mask: someMask })]);
    expect(masked).toMatchObject({ violations: [{ code: 1002 }], passed: [] });
  });

  test("a message inside a message", () => {
    const first = makeFrame({ opcode: 1, payload: "a", isFinal: false });
    const notes = scan([first, makeFrame({ opcode: 2, payload: "b" })]);
    expect(notes.violations).toMatchObject([{ code: 1002 }]);
    expect(notes.all.equals(first)).toBe(true);
  });

  test("lengths of 2^31 and 2^53-1 are none", () => {
    for (const claims of [2n ** 31n, 2n ** 53n - 1n]) {
      const { notes, scanned } = scanner();
      const bytes = makeFrame({ opcode: 2, claims, lengthForm: 64 });
      scanned.scan(bytes);
      scanned.scan(new Uint8Array(1000));
      expect(notes.violations).toEqual([]);
      expect(notes.all.length).toBe(bytes.length + 1000);
      expect(scanned.isAtBoundary).toBe(false);
    }
  });

  test("reserved bits pass where an extension was negotiated", () => {
    const bytes = Buffer.concat([
      makeFrame({ opcode: 1, reserved: 0x40, payload: "deflated" }),
      makeFrame({ opcode: 2, reserved: 0x30, payload: "x" }),
    ]);
    const notes = scan([bytes], { mayUseReservedBits: true });
    expect(notes.violations).toEqual([]);
    expect(notes.all.equals(bytes)).toBe(true);
  });
});

describe("Close frames", () => {
  const legal = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4321, 4999];
  const illegal = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

  test.each(legal)("%d is a code, with every length of reason", (code) => {
    for (const reason of ["", "x", "ü".repeat(61), "x".repeat(123), "\ufeffbom"]) {
      const frame = makeFrame({ opcode: 8, payload: closeContent(code, reason), mask: someMask });
      expect(scan([frame], { isMasked: true }).closes).toEqual([{ frame, code, reason }]);
    }
  });

  test.each(illegal)("%d is none", (code) => {
    const notes = scan([makeFrame({ opcode: 8, payload: closeContent(code) })]);
    expect(notes).toMatchObject({ violations: [{ code: 1002 }], closes: [], passed: [] });
  });

  test("an empty one is 1005, and nothing after a Close is looked at", () => {
    const frame = makeFrame({ opcode: 8 });
    const { notes, scanned } = scanner();
    scanned.scan(Buffer.concat([frame, makeFrame({ opcode: 3 })]));
    scanned.scan(makeFrame({ opcode: 1, payload: "late" }));
    expect(notes).toMatchObject({ closes: [{ code: 1005, reason: "" }], violations: [], passed: [] });
    expect(scanned.isOver).toBe(true);
  });
});

describe("putting in frames", () => {
  test("a boundary comes between the frames of a fragmented message, never inside one", () => {
    const first = makeFrame({ opcode: 1, payload: "0123456789", isFinal: false });
    const second = makeFrame({ opcode: 0, payload: "abc" });
    const { notes, scanned } = scanner();
    scanned.scan(first.subarray(0, 5));
    scanned.interrupt();
    scanned.scan(Buffer.concat([first.subarray(5), second]));
    expect(notes.boundaries).toEqual([first.length]);
    expect(notes.all.equals(Buffer.concat([first, second]))).toBe(true);
  });

  test("a boundary comes when the frame ends with the chunk", () => {
    const frame = makeFrame({ opcode: 2, payload: "0123456789" });
    const { notes, scanned } = scanner();
    scanned.scan(frame.subarray(0, 5));
    scanned.interrupt();
    scanned.scan(frame.subarray(5, 8));
    expect(notes.boundaries).toEqual([]);
    scanned.scan(frame.subarray(8));
    expect(notes.boundaries).toEqual([frame.length]);
  });

  test("a header that has not come whole is still behind a boundary", () => {
    const { notes, scanned } = scanner();
    scanned.scan(makeFrame({ opcode: 2, payload: new Uint8Array(300) }).subarray(0, 3));
    expect(scanned.isAtBoundary).toBe(true);
    expect(notes.passed).toEqual([]);
  });
});

test.each([
  ["between two frames", Buffer.alloc(0), { frames: 4, messages: 2, bytes: 10, isOver: false }],
  ["in a frame", makeFrame({ opcode: 2, payload: "half" }).subarray(0, 4), { frames: 5, messages: 3, bytes: 14 }],
  ["in a fragmented message", makeFrame({ opcode: 1, payload: "part", isFinal: false }), { frames: 5, messages: 2 }],
  ["in a header", Buffer.of(0x82), { frames: 4, messages: 2, isAtBoundary: true }],
  ["after a Close", makeFrame({ opcode: 8, payload: closeContent(1000) }), { frames: 5, messages: 2, isOver: true }],
  ["after a violation", Buffer.of(0x83, 0), { frames: 4, messages: 2, isOver: true }],
])("one that goes on where another one stood %s has counted the same", (_, last, counted) => {
  const { scanned } = scanner();
  for (const opcode of [1, 2, 9, 10]) scanned.scan(makeFrame({ opcode, payload: "whole" }));
  scanned.scan(last);
  const { scanned: next } = scanner();
  next.restore(scanned.state);
  expect(next.state).toEqual(scanned.state);
  for (const each of [scanned, next]) expect(each).toMatchObject(counted);
});
