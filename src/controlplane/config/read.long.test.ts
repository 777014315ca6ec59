import { expect, test } from "bun:test";
import { timed } from "../../../test/support/cpu-time.ts";
import { read, routes } from "../../../test/support/many-routes.ts";
import { formatIssue } from "../../core/issue.ts";

test("a thousand routes are read in less than half a second", () => {
  const text = routes(1000);
  read(text);
  const { result, ms } = timed(() => read(text));
  expect(result.configuration?.model.routes).toHaveLength(1000);
  expect(ms).toBeLessThan(500);
});

test("the time that checks take grows no faster than the routes, also where all are wrong", () => {
  const text = routes(2000).replaceAll("to: app", "to: application-that-is-gone");
  const { result, ms } = timed(() => read(text));
  expect(result.issues.filter((issue) => issue.severity === "error")).toHaveLength(2000);
  expect(ms).toBeLessThan(3000);
});

test.each([
  ["nested lists", `${"[".repeat(100_000)}`],
  ["nested lists that are closed", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
  ["nested maps", Array.from({ length: 2000 }, (_, at) => `${" ".repeat(at)}a:\n`).join("")],
  ["nested flow maps", "{a: ".repeat(50_000)],
])("%s, very many of them: issues in a moment", (_, text) => {
  const { result, ms } = timed(() => read(text));
  expect(result.configuration).toBeUndefined();
  expect(result.issues.length).toBeGreaterThan(0);
  expect(result.issues.map(formatIssue).join("\n").length).toBeLessThan(1_000_000);
  expect(ms).toBeLessThan(2000);
});
