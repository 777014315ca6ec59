import { expect, test } from "bun:test";
import { after, sleep, within } from "./sleep.ts";

test("an aborted signal ends the sleep at once", async () => {
  const controller = new AbortController();
  const startedAt = performance.now();
  const sleeping = sleep(60_000, controller.signal);
  controller.abort();
  await sleeping;
  await sleep(60_000, controller.signal);
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

test("a promise in time gives its value, a late one the substitute, a failed one its error", async () => {
  expect(await within(Promise.resolve(1), 1000, "late")).toBe(1);
  expect(await within(new Promise(() => {}), 5, "late")).toBe("late");
  expect(within(Promise.reject(new Error("no")), 1000, "late")).rejects.toThrow("no");
});

test("a cancelled call is not made", async () => {
  let calls = 0;
  const cancel = after(1, () => calls++);
  cancel();
  await new Promise<void>((resolve) => after(10, resolve));
  expect(calls).toBe(0);
});
