import { expect, test } from "bun:test";
import { isUpgradeSoak, parseArguments, WrongUse } from "./arguments.ts";

test("a soak lasts three minutes and ends the matrix with them, if nothing else is said", () => {
  expect(parseArguments([])).toMatchObject({ durationMs: 180_000, faults: 0 });
});

test("time, plays of the matrix and the seed can be chosen", () => {
  const options = parseArguments(["--seconds", "60", "--faults", "10000", "--seed", "7"]);
  expect(options).toEqual({ durationMs: 60_000, faults: 10_000, seed: 7 });
});

test("upgrades under load have options of their own", () => {
  const options = parseArguments(["--upgrade", "--sessions", "10000", "--workers", "2"]);
  expect(options).toEqual({ sessions: 10_000, every: 1, upgrades: 5, handshakes: 100, workers: 2, faults: 0 });
  expect(isUpgradeSoak(options)).toBe(true);
  expect(isUpgradeSoak(parseArguments([]))).toBe(false);
});

for (const args of [
  ["--seconds", "soon"],
  ["--seconds", "5"],
  ["--faults", "-1"],
  ["--minutes", "2"],
  ["more"],
  ["--upgrade", "--seconds", "20"],
  ["--sessions", "20"],
]) {
  test(`"${args.join(" ")}" is wrong use`, () => {
    expect(() => parseArguments(args)).toThrow(WrongUse);
  });
}
