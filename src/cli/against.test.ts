import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FakeView, sampleSession } from "../../test/support/fake-view.ts";
import { adminApp } from "../controlplane/admin/app.ts";
import { AdminServer } from "../controlplane/admin/server.ts";
import { readConfiguration } from "../controlplane/config/read.ts";
import { check } from "./check.ts";
import { selfCommand } from "./self.ts";
import { UsageError } from "./usage.ts";

const token = "0123456789abcdef";
const file = (name: string): string => fileURLToPath(new URL(`testdata/against.${name}`, import.meta.url));

const view = new FakeView();
const { configuration } = readConfiguration([
  { source: "before.yaml", text: readFileSync(file("before.yaml"), "utf8") },
]);
if (configuration !== undefined) view.configuration = configuration;
view.sessions = [
  ...sessions("same", "10.0.0.1:80", 5),
  ...sessions("chat", "10.0.0.1:80", 12),
  ...sessions("chat", "10.0.0.2:80", 3),
  ...sessions("feed", "10.0.0.3:80", 1),
  ...sessions("live", "10.0.0.2:80", 2),
  ...sessions("left", "10.0.0.1:80", 4),
  ...sessions("cut", "10.0.2.1:80", 1, { upstream: "gone", listener: "old" }),
  ...sessions("same", "10.0.1.2:80", 2, { upstream: "calm" }),
];
const server = AdminServer.open(adminApp(view), { host: "127.0.0.1", port: 0, token });
afterAll(() => server[Symbol.asyncDispose]());

function sessions(route: string, endpoint: string, count: number, more: object = {}) {
  return Array.from({ length: count }, (_, at) =>
    sampleSession({ id: `${route} ${endpoint} ${at}`, route, endpoint, ...more }),
  );
}

async function run(...args: string[]): Promise<{ code: number; output: string }> {
  let output = "";
  const code = await check(args, (text) => {
    output += text;
  });
  return { code, output };
}

const against = ["--against", server.url, "--token", token] as const;

test("what would change is told, with the fields, and what becomes of open sessions", async () => {
  const { code, output } = await run(...against, file("after.yaml"));
  expect(code).toBe(0);
  const told = output.replaceAll(server.url, "http://127.0.0.1:9901");
  // A golden file: with UPDATE_GOLDEN=1 it is written instead of compared.
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file("txt"), told);
  expect(told).toBe(readFileSync(file("txt"), "utf8"));
});

test("programs get the changes as JSON", async () => {
  const { output } = await run(...against, "--json", file("after.yaml"));
  const { against: told } = JSON.parse(output);
  expect(told).toMatchObject({ url: server.url, revision: 3 });
  expect(told.changes).toContainEqual({
    what: "changed",
    kind: "route",
    name: "feed",
    fields: [{ path: "match.path.kind", before: "prefix", after: "exact" }],
    concerns: { filter: { route: "feed" }, fate: { endWithinMs: 60_000 } },
    sessions: 1,
  });
});

test("what is in force already changes nothing", async () => {
  const { output } = await run(...against, file("before.yaml"));
  expect(output).toEndWith(`\nagainst ${server.url}, revision 3:\nno changes\n`);
});

test("a configuration with errors is not compared", async () => {
  const folder = mkdtempSync(join(tmpdir(), "causeway-compare-"));
  writeFileSync(join(folder, "wrong.yaml"), "listeners: {}\nrouts: {}\n");
  const { code, output } = await run(...against, join(folder, "wrong.yaml"));
  rmSync(folder, { recursive: true });
  expect([code, output.includes("against")]).toEqual([1, false]);
});

test("a gateway that does not answer, or does not let us in, fails the command; what is no URL is wrong use", async () => {
  const child = Bun.spawn([...selfCommand(), "check", "--against", "http://127.0.0.1:1", file("after.yaml")], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  expect([await child.exited, out]).toEqual([1, "2 listeners, 6 routes, 3 upstreams: fine\n"]);
  expect(err).toStartWith("causeway check: nothing listens at http://127.0.0.1:1;");
  expect((await run("--against", server.url, file("after.yaml"))).code).toBe(1);
  await expect(run("--against", "http://", file("after.yaml"))).rejects.toThrow(UsageError);
});
