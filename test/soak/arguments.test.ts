import { expect, test } from "bun:test";
import { parseArguments, WrongUse } from "./arguments.ts";

test("a soak lasts three minutes and ends the matrix with them, if nothing else is said", () => {
  expect(parseArguments([])).toMatchObject({ durationMs: 180_000, faults: 0 });
});

test("time, plays of the matrix and the seed can be chosen", () => {
  const options = parseArguments(["--seconds", "60", "--faults", "10000", "--seed", "7"]);
  expect(options).toEqual({ durationMs: 60_000, faults: 10_000, seed: 7 });
});

for (const args of [["--seconds", "soon"], ["--seconds", "5"], ["--faults", "-1"], ["--minutes", "2"], ["more"]]) {
  test(`"${args.join(" ")}" is wrong use`, () => {
    expect(() => parseArguments(args)).toThrow(WrongUse);
  });
}
