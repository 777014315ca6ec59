import { expect, test } from "bun:test";
import { fine, read, routes, source } from "../../../test/support/many-routes.ts";
import { formatIssue } from "../../core/issue.ts";
import { configurationReader, readConfiguration } from "./read.ts";

test("no text at all is told as what is missing", () => {
  const { configuration, issues } = readConfiguration([]);
  expect(configuration).toBeUndefined();
  expect(issues.map(formatIssue)[0]).toStartWith("configuration:1:1: listeners: there are no listeners");
});

test("the addresses to bind are known by their places", () => {
  const { places } = read(`admin: { address: 127.0.0.1:0 }\n${fine}`);
  expect(places?.get("admin.address")).toEqual({ source, line: 1, column: 19, path: "admin.address" });
  expect(places?.get("listeners.web.address")).toEqual({ source, line: 2, column: 30, path: "listeners.web.address" });
});

test("an address that is not written stands where its section would", () => {
  expect(read(fine).places?.get("admin.address")).toMatchObject({ source, line: 1, column: 1 });
});

test("routes keep the order of the texts", () => {
  const { configuration } = read(`${fine}routes: { b: { to: app }, a: { match: { path: /a }, to: app } }`);
  expect(configuration?.model.routes.map((route) => route.name)).toEqual(["b", "a"]);
});

test("a reader that remembers reads every change as one that does not", () => {
  const read = configurationReader();
  const base = routes(20);
  const versions = [
    base,
    base.replace("/chat/3 }", "/chat/33 }"),
    base.replaceAll("idle: 5m", "idle: 6m"),
    base.replace("r7:", "renamed:"),
    base.replace("    to: app\n", "    to: nobody\n"),
    base.replace("to: app", "too: app"),
    `${base}  r21: { to: app, match: { path: /chat/3 } }\n`,
    base,
    base.replaceAll("\n    ", "\n      "),
    base.replace("routes:", "upstreams: {}\nroutes:"),
  ];
  for (const text of versions) {
    const texts = [{ source, text }];
    expect(read(texts)).toEqual(readConfiguration(texts));
  }
});

test.each([
  ["nested lists", `${"[".repeat(1000)}`],
  ["nested lists that are closed", `${"[".repeat(1000)}${"]".repeat(1000)}`],
  ["nested maps", Array.from({ length: 200 }, (_, at) => `${" ".repeat(at)}a:\n`).join("")],
  ["nested flow maps", "{a: ".repeat(1000)],
  ["an alias of itself", "a: &a [ *a, *a ]"],
  [
    "aliases of aliases",
    `${Array.from({ length: 40 }, (_, at) => `a${at}: &a${at} [ ${at === 0 ? "x" : `*a${at - 1}, *a${at - 1}`} ]\n`).join("")}listeners: *a39\n`,
  ],
  ["an unknown tag", "listeners: !!js/function x"],
  ["NUL and other control characters", "listeners: \u0000\u0001\u001b"],
  ["a byte order mark in the middle", "listeners: {}\n\ufeffroutes: {}"],
  ["a lone surrogate", "listeners: { \ud800: 5 }"],
  ["a directive", "%YAML 9.9\n---\nlisteners: 5"],
  ["a scalar", "listeners"],
  ["a very long key", `? ${"k".repeat(100_000)}\n: 5`],
])("%s: an issue, and no exception", (_, text) => {
  const startedAt = performance.now();
  const { configuration, issues } = read(text);
  expect(configuration).toBeUndefined();
  expect(issues.length).toBeGreaterThan(0);
  expect(issues.map(formatIssue).join("\n").length).toBeLessThan(1_000_000);
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

test("no key of a configuration gets into the prototype of objects", () => {
  read(`__proto__: { polluted: 1 }\nconstructor: { prototype: { polluted: 1 } }\n${fine}`);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  expect("polluted" in {}).toBe(false);
});

test("a secret is never a part of an issue", () => {
  for (const token of ['"a secret with spaces"', "1234567890123456", "[ secret ]", "{ env: 5, secret: x }"]) {
    const { issues } = read(`admin: { token: ${token} }\n${fine}routes: { all: { to: app } }`);
    expect(issues.length).toBeGreaterThan(0);
    expect(issues.map(formatIssue).join("\n")).not.toMatch(/a secret|123456/);
  }
});

test("the model is plain data that survives the way to another process", () => {
  const { configuration } = read(routes(3));
  expect(configuration).toBeDefined();
  const copy: unknown = JSON.parse(JSON.stringify(configuration));
  expect(copy).toEqual(configuration);
});
