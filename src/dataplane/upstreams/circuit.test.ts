import { expect, test } from "bun:test";
import { limitInTheWay, totalLoad } from "./circuit.ts";

const none = { sessions: 0, requests: 0, connecting: 0, idle: 0 };

const cases = [
  { what: "sessions", load: { sessions: 9 }, limits: {}, gives: undefined },
  { what: "sessions", load: { sessions: 9 }, limits: { sessions: 10 }, gives: undefined },
  { what: "sessions", load: { sessions: 10 }, limits: { sessions: 10 }, gives: "sessions" },
  { what: "sessions", load: { requests: 10 }, limits: { requests: 10 }, gives: undefined },
  { what: "requests", load: { requests: 10 }, limits: { requests: 10 }, gives: "requests" },
  { what: "sessions", load: { connecting: 2, idle: 1 }, limits: { connects: 2 }, gives: "connects" },
  { what: "requests", load: { connecting: 2 }, limits: { connects: 2 }, gives: "connects" },
  { what: "requests", load: { connecting: 2, idle: 1 }, limits: { connects: 2 }, gives: undefined },
] as const;

for (const { what, load, limits, gives } of cases) {
  const names = [JSON.stringify(load), JSON.stringify(limits)] as const;
  test(`with ${names[0]} under way and limits of ${names[1]}, ${gives ?? "nothing"} is in the way of one more of ${what}`, () => {
    expect(limitInTheWay(what, { ...none, ...load }, limits)).toBe(gives);
  });
}

test("the load of several endpoints is that of all together", () => {
  const load = { sessions: 1, requests: 2, connecting: 3, idle: 4 };
  expect(totalLoad([load, load])).toEqual({ sessions: 2, requests: 4, connecting: 6, idle: 8 });
});
