import { expect, test } from "bun:test";
import { setImmediate as turn } from "node:timers/promises";
import { Outbox, type Outgoing } from "./outbox.ts";

/** Someone who notes when it sends. */
function sender(name: string, log: string[], act = (): void => {}): Outgoing {
  return {
    send() {
      log.push(name);
      act();
    },
    failed: (error) => log.push(`${name} failed: ${error.message}`),
  };
}

test("those who wait send once the turn of the event loop is over, in their order", async () => {
  const outbox = new Outbox();
  const log: string[] = [];
  for (const name of ["a", "b"]) outbox.add(sender(name, log));
  await Promise.resolve();
  expect(log).toEqual([]);
  await turn();
  expect(log).toEqual(["a", "b"]);
  outbox.add(sender("c", log));
  await turn();
  expect(log).toEqual(["a", "b", "c"]);
});

test("64 do not wait any longer", async () => {
  const outbox = new Outbox();
  const log: string[] = [];
  for (let count = 0; count < 65; count++) outbox.add(sender("one", log));
  expect(log.length).toBe(64);
  await turn();
  expect(log.length).toBe(65);
});

test("one that fails hears of it, and the others send all the same", async () => {
  const outbox = new Outbox();
  const log: string[] = [];
  const fail = () => {
    throw new Error("broken");
  };
  outbox.add(sender("a", log, fail));
  outbox.add(sender("b", log));
  await turn();
  expect(log).toEqual(["a", "a failed: broken", "b"]);
});

test("what is written while others send waits for the turn after", async () => {
  const outbox = new Outbox();
  const log: string[] = [];
  outbox.add(sender("a", log, () => outbox.add(sender("b", log))));
  await turn();
  expect(log).toEqual(["a"]);
  await turn();
  expect(log).toEqual(["a", "b"]);
});
