import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "./check.ts";
import { schema } from "./schema.ts";
import { UsageError } from "./usage.ts";

const folder = mkdtempSync(join(tmpdir(), "causeway-check-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function run(command: typeof check, ...args: string[]): Promise<{ code: number; output: string }> {
  let output = "";
  const code = await command(args, (text) => {
    output += text;
  });
  return { code, output };
}

const listeners = 'listeners: { web: { address: ":8080" } }\n';
const fine = `${listeners}upstreams: { app: { endpoints: [ a:1 ] } }\nroutes: { all: { to: app } }\n`;

test("a configuration without problems is fine", async () => {
  expect(await run(check, file("fine.yaml", fine))).toEqual({
    code: 0,
    output: "1 listener, 1 route, 1 upstream: fine\n",
  });
});

test("a warning is printed and is no failure", async () => {
  const path = file("warning.yaml", listeners);
  const { code, output } = await run(check, path);
  expect(code).toBe(0);
  expect(output).toStartWith(`${path}:1:1: routes: warning: there are no routes`);
  expect(output).toEndWith("\n1 listener, 0 routes, 0 upstreams: 1 warning\n");
});

test("every error is printed with its place and counted", async () => {
  const path = file("errors.yaml", fine.replace(":8080", "8080").replace("to: app", "too: app"));
  const { code, output } = await run(check, path);
  expect(code).toBe(1);
  const [first, second] = output.split("\n");
  expect(first).toStartWith(`${path}:1:30: listeners.web.address: "8080" has no port; write an address such as`);
  expect(second).toBe(`${path}:3:18: routes.all.too: there is no key "too" here; write to`);
  expect(output).toEndWith("\n2 errors, 0 warnings\n");
});

test("several files are one configuration", async () => {
  const first = file("first.yaml", listeners);
  const second = file("second.yaml", fine.replace(listeners, ""));
  expect((await run(check, first, second)).output).toBe("1 listener, 1 route, 1 upstream: fine\n");
});

test("a file that is missing is an error", async () => {
  const path = join(folder, "missing.yaml");
  const { code, output } = await run(check, path);
  expect(code).toBe(1);
  expect(output).toBe(`${path}: there is no such file; create it, or name another one\n1 error, 0 warnings\n`);
});

test("--json prints the issues for programs", async () => {
  const path = file("json.yaml", listeners);
  const { code, output } = await run(check, "--json", path);
  expect(code).toBe(0);
  expect(JSON.parse(output)).toMatchObject({
    issues: [{ severity: "warning", at: { source: path, line: 1, column: 1, path: "routes" } }],
    errors: 0,
    warnings: 1,
  });
});

test("wrong use is told", async () => {
  await expect(run(check)).rejects.toThrow(UsageError);
  await expect(run(check, "--jsno", "a.yaml")).rejects.toThrow("--jsno");
  await expect(run(schema, "extra")).rejects.toThrow(UsageError);
});

test("the JSON Schema is printed", async () => {
  const { code, output } = await run(schema);
  expect(code).toBe(0);
  const printed: unknown = JSON.parse(output);
  expect(printed).toMatchObject({ $schema: "http://json-schema.org/draft-07/schema#", required: ["listeners"] });
});
