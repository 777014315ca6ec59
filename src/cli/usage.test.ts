import { expect, test } from "bun:test";
import { parseOptions, refuseOperands, UsageError } from "./usage.ts";

const options = { limit: { type: "string" }, json: { type: "boolean" } } as const;

test("options and operands are told apart", () => {
  const { values, positionals } = parseOptions(["a", "--limit", "5", "b", "--json"], options);
  expect([values.limit, values.json, positionals]).toEqual(["5", true, ["a", "b"]]);
});

test.each([
  ["--limt=5", "there is no option --limt; did you mean --limit?"],
  ["--colour", "there is no option --colour"],
  ["-x", "there is no option -x"],
  ["--limit", "--limit needs a value"],
  ["--limit --json", "--limit needs a value; one that begins with - is written --limit=VALUE"],
  ["--json=yes", "--json takes no value"],
])("%s: %s", (args, says) => {
  expect(() => parseOptions(args.split(" "), options)).toThrow(new UsageError(says));
});

test("a command without operands says which one it does not take", () => {
  refuseOperands([]);
  expect(() => refuseOperands(["x", "y"])).toThrow(new UsageError('it takes no "x"'));
});
