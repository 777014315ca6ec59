import { expect, test } from "bun:test";
import { AdminFailure } from "./admin-client.ts";
import { type DrainLeft, progressOutput, watchDrain } from "./drain-progress.ts";

const begun: DrainLeft = { target: { route: "chat" }, startedAt: 1000, endsAt: 61_000, windowMs: 60_000, sessions: 40 };

/** What is written while a drain is watched of which the admin API tells these numbers of sessions. */
async function watch(
  how: { isTerminal?: boolean; isJson?: boolean },
  told: readonly (number | "gone" | "failed" | "anew")[],
) {
  let text = "";
  const output = progressOutput(begun, { isTerminal: false, isJson: false, ...how }, (more) => {
    text += more;
  });
  const answers = [...told];
  const ask = async (): Promise<readonly DrainLeft[]> => {
    const next = answers.shift() ?? "gone";
    if (next === "failed") throw new AdminFailure("no answer", false);
    if (next === "gone") return [];
    if (next === "anew") return [{ ...begun, startedAt: 2000 }];
    return [
      { ...begun, target: {} },
      { ...begun, sessions: next },
    ];
  };
  const code = await watchDrain({ begun, output, ask, lookMs: 0 });
  return { code, text };
}

test("a terminal shows a bar that is written over", async () => {
  const { code, text } = await watch({ isTerminal: true }, [40, 10, 0]);
  expect(code).toBe(0);
  expect(text.split("\r\x1b[K")).toEqual([
    "route chat drains: 40 sessions within 1m\n",
    "[------------------------------]  40 of 40 sessions left",
    "[######################--------]  10 of 40 sessions left",
    "route chat is drained: 40 sessions ended\n",
  ]);
});

test("elsewhere a line is written now and then", () => {
  let text = "";
  const output = progressOutput(begun, { isTerminal: false, isJson: false }, (more) => {
    text += more;
  });
  for (let at = 1000; at <= 12_000; at += 500) output.left({ ...begun, sessions: 20 }, at);
  expect(text).toBe("20 sessions left\n20 sessions left\n");
});

test("programs get a line of JSON for each look", async () => {
  const { text } = await watch({ isJson: true }, [1, 0]);
  const { target, startedAt, endsAt } = begun;
  const line = (state: string, sessions: number) => ({ state, target, startedAt, endsAt, sessions, of: 40 });
  expect(
    text
      .trim()
      .split("\n")
      .map((one) => JSON.parse(one)),
  ).toEqual([line("begun", 40), line("draining", 1), line("drained", 0)]);
});

test("a drain that was taken back, or began anew, is not waited for", async () => {
  for (const told of ["gone", "anew"] as const) {
    const { code, text } = await watch({}, [30, told]);
    expect(code).toBe(1);
    expect(text).toEndWith("the drain of route chat was taken back, with 30 sessions left\n");
  }
});

test("an admin API that does not answer for a moment is asked again, and then given up", async () => {
  expect((await watch({}, ["failed", "failed", "failed", "failed", 0])).code).toBe(0);
  await expect(watch({}, ["failed", "failed", "failed", "failed", "failed"])).rejects.toThrow("no answer");
});
