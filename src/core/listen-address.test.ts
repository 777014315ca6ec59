import { expect, test } from "bun:test";
import { explainListenFailure, overlaps } from "./listen-address.ts";

test.each([
  ["127.0.0.1", "127.0.0.1", true],
  ["127.0.0.1", "127.0.0.2", false],
  ["0.0.0.0", "127.0.0.1", true],
  ["::1", "::", true],
  ["0.0.0.0", "::", true],
])("%s and %s on one port overlap: %p", (one, other, expected) => {
  expect(overlaps({ host: one, port: 80 }, { host: other, port: 80 })).toBe(expected);
  expect(overlaps({ host: one, port: 80 }, { host: other, port: 81 })).toBe(false);
});

test("two ports that the kernel chooses never overlap", () => {
  expect(overlaps({ host: "::1", port: 0 }, { host: "::1", port: 0 })).toBe(false);
});

test("a failure is explained by its code, and an unknown one by its own words", () => {
  const taken = Object.assign(new Error("Failed to listen at ::1"), { code: "EADDRINUSE" });
  expect(explainListenFailure(taken).says).toBe("somebody else listens there");
  expect(explainListenFailure(new Error("odd")).says).toBe("odd");
});
