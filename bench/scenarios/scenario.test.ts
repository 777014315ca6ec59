import { expect, test } from "bun:test";
import { allScenarios } from "./all.ts";
import { handshakesScenario } from "./handshakes.ts";
import { takesPart } from "./scenario.ts";
import { twoWorkersScenario } from "./two-workers.ts";

test("Causeway with one worker is measured apart only beside Causeway with two", () => {
  expect(takesPart("one-worker", twoWorkersScenario, 0)).toBe(true);
  expect(takesPart("nginx", twoWorkersScenario, 0)).toBe(false);
  expect(takesPart("one-worker", handshakesScenario, 0)).toBe(false);
  expect(takesPart("nginx", handshakesScenario, 0)).toBe(true);
});

test("the load without a proxy is measured once, and not where it would have to be TLS", () => {
  expect([0, 1].map((round) => takesPart("direct", handshakesScenario, round))).toEqual([true, false]);
  const secure = allScenarios.filter(({ tls }) => tls !== undefined);
  expect(secure.map((scenario) => takesPart("direct", scenario, 0))).toEqual(secure.map(() => false));
});
