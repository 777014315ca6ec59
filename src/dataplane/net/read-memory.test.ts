import { read, toArrayBuffer } from "bun:ffi";
import { expect, test } from "bun:test";
import { mostRead, ReadMemory } from "./read-memory.ts";

/** What the kernel would do. */
function fill(memory: ReadMemory, value: number): void {
  const view = new Uint8Array(toArrayBuffer(memory.at, 0, mostRead));
  view.fill(value);
  expect(read.u8(memory.at, 0)).toBe(value);
}

test("a short read is a copy of its own size", () => {
  const memory = new ReadMemory(false);
  fill(memory, 7);
  const { at } = memory;
  const bytes = memory.take(100);
  expect(bytes.buffer.byteLength).toBe(100);
  expect(memory.at).toBe(at);
  fill(memory, 8);
  expect(bytes.every((byte) => byte === 7)).toBe(true);
  expect(memory.giveBack(bytes)).toBe(false);
});

test("a long read keeps its memory, which is used again once it has come back", () => {
  const memory = new ReadMemory(false);
  fill(memory, 1);
  const { at } = memory;
  const bytes = memory.take(20_000);
  expect(memory.at).not.toBe(at);
  fill(memory, 2);
  expect(bytes.length).toBe(20_000);
  expect(bytes.every((byte) => byte === 1)).toBe(true);
  expect(memory.giveBack(bytes)).toBe(true);
  memory.take(20_000);
  expect(memory.at).toBe(at);
});

test("memory that has come back is overwritten where somebody checks", () => {
  const memory = new ReadMemory(true);
  fill(memory, 1);
  const bytes = memory.take(20_000);
  memory.giveBack(bytes);
  expect(bytes.every((byte) => byte === 0xdb)).toBe(true);
});

test("only what was handed out last comes back, and only once", () => {
  const memory = new ReadMemory(false);
  const first = memory.take(20_000);
  const second = memory.take(20_000);
  expect(memory.giveBack(first)).toBe(false);
  expect(memory.giveBack(second.subarray(0, 10_000))).toBe(false);
  expect(memory.giveBack(second)).toBe(true);
  expect(memory.giveBack(second)).toBe(false);
});
