import { expect, test } from "bun:test";
import { parseArguments, WrongUse } from "./arguments.ts";

const scenarios = ["ws-64-1000", "http-1k"];

test("without arguments everything is measured and the results are kept", () => {
  const options = parseArguments([], scenarios);
  expect(options).toMatchObject({
    scenarios: [],
    rounds: 3,
    timing: { windows: 5, windowMs: 1000 },
    isQuick: false,
    out: "docs/bench",
  });
  expect(options.proxies).toEqual(["causeway", "one-worker", "nginx", "haproxy", "envoy", "direct"]);
});

test.each([[["--quick"]], [["http-1k"]], [["--only", "nginx"]]])(
  "%p does not overwrite the results of a full run",
  (args) => {
    expect(parseArguments(args, scenarios).out).toBeUndefined();
    expect(parseArguments([...args, "--out", "here"], scenarios).out).toBe("here");
  },
);

test("continuity stands alone, and a full run of it is kept", () => {
  expect(parseArguments(["continuity"], scenarios)).toMatchObject({ scenarios: ["continuity"], out: "docs/bench" });
  expect(parseArguments(["continuity", "--quick"], scenarios).out).toBeUndefined();
  expect(() => parseArguments(["continuity", "http-1k"], scenarios)).toThrow("continuity stands alone");
});

test("a quick run takes one round and leaves out the run without proxy", () => {
  const options = parseArguments(["--quick"], scenarios);
  expect(options.rounds).toBe(1);
  expect(options.proxies).not.toContain("direct");
});

test("rounds, seconds, scenarios and proxies can be chosen", () => {
  const options = parseArguments(
    ["http-1k", "--rounds", "5", "--seconds", "0.5", "--only", "nginx, causeway"],
    scenarios,
  );
  expect(options).toMatchObject({
    scenarios: ["http-1k"],
    rounds: 5,
    timing: { windows: 1, windowMs: 500 },
    proxies: ["nginx", "causeway"],
  });
});

test.each([
  [["ws"], 'no scenario "ws"; there are ws-64-1000, http-1k'],
  [["--only", "apache"], 'no proxy "apache"'],
  [["--rounds", "many"], "--rounds takes a number"],
  [["--seconds", "0"], "--seconds takes a number"],
  [["--slow"], "--slow"],
])("%p is refused with a reason", (args, reason) => {
  expect(() => parseArguments(args, scenarios)).toThrow(WrongUse);
  expect(() => parseArguments(args, scenarios)).toThrow(reason);
});
