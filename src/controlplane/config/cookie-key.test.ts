import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configurationReader, readConfiguration } from "./read.ts";

const folder = mkdtempSync(join(tmpdir(), "causeway-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function texts(cookieKey: string) {
  const text = `
cookieKey: ${cookieKey}
listeners: { web: { address: ":8080" } }
upstreams: { app: { endpoints: [ "127.0.0.1:1" ], sticky: { cookie: {} } } }
routes: { all: { to: app } }
`;
  return [{ source: join(folder, "causeway.yaml"), text }];
}

test("a file for the key is made once, for its owner alone, and only by who serves", () => {
  const path = join(folder, "made/cookie.key");
  const { issues } = readConfiguration(texts("{ file: made/cookie.key }"), {});
  expect(issues).toEqual([]);
  expect(existsSync(path)).toBe(false);
  const read = configurationReader();
  const first = read(texts("{ file: made/cookie.key }"));
  expect(first.files).toContain(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const key = readFileSync(path, "utf8").trim();
  expect(key.length).toBeGreaterThan(40);
  expect(first.configuration?.model.cookieKey).toBe(key);
  // As after a restart.
  const second = configurationReader()(texts("{ file: made/cookie.key }"));
  expect(second.configuration?.model.cookieKey).toBe(key);
});

test("a key from the environment is used, and one that is missing is an error", () => {
  const environment = { KEY: "0123456789abcdef" };
  expect(readConfiguration(texts("{ env: KEY }"), environment).configuration?.model.cookieKey).toBe(environment.KEY);
  expect(readConfiguration(texts("{ env: KEY }"), {}).issues[0]?.says).toContain("KEY is not set");
});

test("a secret that can be guessed is refused, and never repeated", () => {
  writeFileSync(join(folder, "short.key"), "secret\n");
  const { configuration, issues } = readConfiguration(texts("{ file: short.key }"), {});
  expect(configuration).toBeUndefined();
  expect(issues.map(({ says }) => says)).toEqual(['the secret in "short.key" is too short']);
});

test("what cannot be read or made is told with its place", () => {
  const read = configurationReader();
  const { issues } = read(texts("{ file: short.key/cookie.key }"));
  expect(issues).toHaveLength(1);
  expect(issues[0]?.at).toMatchObject({ path: "cookieKey.file", line: 2 });
});
