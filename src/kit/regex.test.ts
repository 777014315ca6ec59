import { expect, test } from "bun:test";
import { compileRegex, splitRegex } from "./regex.ts";

test("an expression matches the whole text or not at all", () => {
  const regex = compileRegex("/api/v[0-9]+");
  expect(regex.matches("/api/v12")).toBe(true);
  expect(regex.matches("/api/v12/x")).toBe(false);
  expect(regex.matches("x/api/v12")).toBe(false);
  expect(compileRegex("a|b").matches("ab")).toBe(false);
});

test("a wrong expression is refused in readable words", () => {
  for (const source of ["(", "[z-a]", "(?=x)", "(a)\\1", "a{5000}"]) {
    expect(() => compileRegex(source)).toThrow(`"${source}" is not a regular expression in RE2 syntax: `);
  }
  expect(() => compileRegex("(")).toThrow("missing closing )");
});

test("an expression that takes exponential time elsewhere is quick on a long text", () => {
  const text = "a".repeat(20_000);
  for (const source of ["(a+)+b", "(a*)*(b|a)*c", "(a|aa)+$b"]) {
    const startedAt = performance.now();
    expect(compileRegex(source).matches(text)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(500);
  }
});

test("a replacement names groups by number and by name, and what did not match stays", () => {
  const swap = compileRegex("/([a-z]+)/(?P<id>[0-9]+)").replacer("/${id}/$1-$$");
  expect(swap("/users/42/tail")).toBe("/42/users-$/tail");
  expect(swap("/users")).toBeUndefined();
  expect(compileRegex("^/old/(.*)$").replacer("/new/$1")("/old/a/b")).toBe("/new/a/b");
  expect(compileRegex("(a)|(b)").replacer("<$1$2>")("xabx")).toBe("x<a><b>x");
  expect(compileRegex(".*").replacer("/fixed")("/any/path")).toBe("/fixed");
  expect(compileRegex("(.)").replacer("${1}0")("a")).toBe("a0");
});

test("what a text holds is never read as part of the replacement", () => {
  expect(compileRegex("/x/(.*)").replacer("/$1")("/x/$1${0}$$")).toBe("/$1${0}$$");
});

test("a replacement that names a missing group is refused", () => {
  const regex = compileRegex("(?P<one>.)(.)");
  for (const [replacement, says] of [
    ["$3", '"3"'],
    ["${two}", '"two"'],
    ["${constructor}", '"constructor"'],
    ["cost: 5$", "write $$"],
    ["$x", "write $$"],
  ] as const) {
    expect(() => regex.replacer(replacement)).toThrow(says);
  }
});

test("the literal prefix is one that every matching text has", () => {
  const cases: readonly [source: string, prefix: string][] = [
    ["/api/v[0-9]+", "/api/v"],
    ["^/api/", "/api/"],
    ["/api?", "/ap"],
    ["/api*", "/ap"],
    ["/ab{2}", "/a"],
    ["/ab+", "/ab"],
    ["/a|/b", ""],
    ["(?i)/a", ""],
    ["/a\\.b", "/a"],
    [".*", ""],
    ["", ""],
  ];
  for (const [source, prefix] of cases) expect([source, compileRegex(source).literalPrefix]).toEqual([source, prefix]);
});

test("an expression in two parts means the same as the whole", () => {
  const sources = [
    "/api/s1/[0-9]+",
    "^/api/(.*)$",
    "/a+",
    "/ab?c",
    "/a*",
    "/a{2}b",
    "/a|/b",
    "/a\\bb",
    "/x/[^/]+",
    "/x/(^y)",
  ];
  sources.push(
    "",
    "^",
    "/plain",
    "/a-b~c_d/.*",
    "(?i)/A",
    "/a(?i)B",
    "/a\\.b",
    "/a$",
    "/a\\b",
    "/(\\B)?x",
    "/a\\Qb\\E",
    "a?",
  );
  const texts = ["", "/", "/a", "/aa", "/aab", "/ab", "/abc", "/ac", "/b", "/A", "/aB", "/a.b", "/plain", "/api/s1/12"];
  texts.push("/api/s1/", "/api/x", "/x/y", "/x/y/z", "/x/", "/x", "/a-b~c_d/z", "a");
  for (const source of sources) {
    const { literal, rest } = splitRegex(source);
    const [whole, part] = [compileRegex(source), compileRegex(rest)];
    for (const text of texts) {
      const inParts = text.startsWith(literal) && part.matches(text.slice(literal.length));
      expect([source, text, inParts]).toEqual([source, text, whole.matches(text)]);
    }
  }
  expect(splitRegex("/api/s1/[0-9]+")).toEqual({ literal: "/api/s1/", rest: "[0-9]+" });
  expect(splitRegex("/ab+")).toEqual({ literal: "/a", rest: "b+" });
  expect(splitRegex("/a\\bb")).toEqual({ literal: "", rest: "/a\\bb" });
});
