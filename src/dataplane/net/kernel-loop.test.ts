import { expect, test } from "bun:test";
import { until } from "../../../test/support/until.ts";
import { happenings } from "./epoll.ts";
import { kernelLoop, type Watched } from "./kernel-loop.ts";
import { openSocketPair } from "./socket-pair.ts";
import { systemCalls } from "./system-calls.ts";

const loop = kernelLoop();
const calls = systemCalls();

/** One end of a connection that somebody writes to at the other end. */
function watched(onEvents: (events: number) => void): { one: Watched; poke(): void; stop(): void } {
  const [near, far] = openSocketPair();
  const one: Watched = { descriptor: near, generation: 0, onEvents, goOn() {} };
  loop?.add(one, happenings.readable | happenings.edges);
  return {
    one,
    poke: () => void calls.send(far, new Uint8Array([1]), 1, 0),
    stop() {
      loop?.remove(one);
      for (const descriptor of [near, far]) calls.close(descriptor);
    },
  };
}

test("who asks for another turn gets the next one, not this one", async () => {
  const order: string[] = [];
  const { one, poke, stop } = watched(() => {
    order.push("events");
    loop?.again(one);
    queueMicrotask(() => order.push("between"));
  });
  one.goOn = () => order.push("again");
  poke();
  await until(() => order.length === 3);
  expect(order).toEqual(["events", "between", "again"]);
  stop();
});

test("what stays of a socket that is gone does not reach the next one with its descriptor", async () => {
  let stale = 0;
  const first = watched(() => {
    second.stop();
    third = watched(() => stale++);
  });
  const second = watched(() => {
    first.stop();
    third = watched(() => stale++);
  });
  let third: ReturnType<typeof watched> | undefined;
  first.poke();
  second.poke();
  await until(() => third !== undefined);
  await Bun.sleep(20);
  expect(stale).toBe(0);
  third?.stop();
});

test("Bun's timers and sockets have their turn while nothing happens here", async () => {
  const { stop } = watched(() => {});
  const late: number[] = [];
  for (let count = 0; count < 20; count++) {
    const startedAt = performance.now();
    await Bun.sleep(5);
    late.push(performance.now() - startedAt - 5);
  }
  expect(late.sort((a, b) => a - b)[10]).toBeLessThan(4);
  stop();
});

test("Bun's timers wait longer once nothing has happened for some turns, and no longer than before once something has", async () => {
  if (loop === undefined) return;
  const { poke, stop } = watched(() => {});
  const usual = loop.stillness;
  loop.stillness = { ofLateMs: 1, turns: 5, laterMs: 80 };
  const late = async () => {
    const startedAt = performance.now();
    await Bun.sleep(1);
    return performance.now() - startedAt;
  };
  try {
    await until(async () => (await late()) > 50);
    poke();
    await Bun.sleep(0);
    expect(await late()).toBeLessThan(50);
  } finally {
    loop.stillness = usual;
    stop();
  }
});
