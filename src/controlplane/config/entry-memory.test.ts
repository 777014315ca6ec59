import { expect, test } from "bun:test";
import { EntryMemory } from "./entry-memory.ts";

test("what was kept is recalled in the next reading, and forgotten after one that asked only for other things", () => {
  const memory = new EntryMemory<{ readonly a: number }>();
  memory.turn();
  memory.keep("one", { a: 1 });
  memory.keep("two", { a: 2 });
  memory.turn();
  expect(memory.recall("one")).toEqual({ a: 1 });
  memory.turn();
  expect(memory.recall("one")).toEqual({ a: 1 });
  expect(memory.recall("two")).toBeUndefined();
});

test("a reading that asked for nothing, since its text was broken, forgets nothing", () => {
  const memory = new EntryMemory<{ readonly a: number }>();
  memory.keep("text", { a: 1 });
  for (let reading = 0; reading < 3; reading++) memory.turn();
  expect(memory.recall("text")).toEqual({ a: 1 });
});
