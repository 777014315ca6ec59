import { afterEach, beforeEach, expect, test } from "bun:test";
import { complaint } from "../../test/support/complaint.ts";
import { FakeView, sampleSession } from "../../test/support/fake-view.ts";
import { adminApp } from "../controlplane/admin/app.ts";
import { AdminServer } from "../controlplane/admin/server.ts";
import { selfCommand } from "./self.ts";
import { sessionTable } from "./sessions.ts";

let view: FakeView;
let server: AdminServer;

beforeEach(() => {
  view = new FakeView();
  view.sessions = [sampleSession({ id: "s1" }), sampleSession({ id: "s2", route: "feed" })];
  server = AdminServer.open(adminApp(view), { host: "127.0.0.1", port: 0 });
});
afterEach(() => server[Symbol.asyncDispose]());

async function sessions(args: readonly string[], environment: Record<string, string> = { CAUSEWAY_ADMIN: server.url }) {
  const child = Bun.spawn([...selfCommand(), "sessions", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", ...environment },
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { out, err, code: await child.exited };
}

test("sessions are listed in a table, all or those that match", async () => {
  const { out, code } = await sessions([]);
  expect(code).toBe(0);
  expect(out).toMatch(
    /^ID +STATE +ROUTE +CLIENT +HOST AND PATH +ENDPOINT +AGE +IN +OUT\ns1 +open +chat .*\ns2 +open +feed .*\n$/,
  );
  expect((await sessions(["list", "--route", "feed", "--admin", server.url], {})).out.match(/^s\d/gm)).toEqual(["s2"]);
});

test("JSON is what the admin API answers", async () => {
  const { out } = await sessions(["list", "--json", "--limit", "1"]);
  expect(JSON.parse(out)).toMatchObject({ total: 2, items: [{ id: "s1" }] });
});

test("a cut list says how many there are", async () => {
  expect((await sessions(["--limit", "1"])).err).toBe("1 of 2 sessions; --limit shows more\n");
});

test("a session is closed by its id, or several by what they have in common", async () => {
  expect(await sessions(["close", "s1", "--code", "4001", "--reason", "go away"])).toMatchObject({
    code: 0,
    out: "1 session is closing\n",
  });
  expect(view.asked.at(-1)).toEqual({ about: "close", filter: { id: "s1" }, code: 4001, reason: "go away" });
  expect((await sessions(["close", "--route", "feed"])).out).toBe("1 session is closing\n");
  expect(await sessions(["close", "--route", "feed"])).toMatchObject({
    code: 0,
    out: "no open session is like that\n",
  });
  expect((await sessions(["--route", "feed"])).err).toBe("no session is open, or none like that\n");
});

test("an id that is not there fails, also one with strange characters", async () => {
  for (const id of ["nope", "../config", "a b?code=1"]) {
    expect(await sessions(["close", id])).toMatchObject({ code: 1, err: expect.stringContaining("no open session") });
  }
});

test("what cannot be asked is wrong use", async () => {
  for (const args of [
    ["close"],
    ["close", "s1", "--route", "x"],
    ["close", "s1", "s2"],
    ["list", "x"],
    ["list", "--code", "1"],
    ["list", "--limit", "many"],
    ["list", "--limit", "0"],
    ["drop"],
  ]) {
    expect([args, (await complaint("sessions", ...args)).code]).toEqual([args, 2]);
  }
  expect(await sessions(["close", "s1", "--code", "1006"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("code: must be"),
  });
  expect(await sessions(["--admin", "http://"])).toMatchObject({ code: 2 });
  expect(view.sessions.length).toBe(2);
});

test("when nothing listens, the message says where it looked and how to say where else", async () => {
  const { err, code } = await sessions([], { CAUSEWAY_ADMIN: "http://127.0.0.1:1" });
  expect(code).toBe(1);
  expect(err).toContain("nothing listens at http://127.0.0.1:1;");
  expect(err).toContain("CAUSEWAY_ADMIN");
});

test("a token is asked for, and taken from the environment or an option", async () => {
  server.configure({ host: "127.0.0.1", port: 0, token: "t0ken" });
  expect(await sessions([])).toMatchObject({ code: 1, err: expect.stringContaining("CAUSEWAY_ADMIN_TOKEN") });
  expect((await sessions([], { CAUSEWAY_ADMIN: server.url, CAUSEWAY_ADMIN_TOKEN: "t0ken" })).code).toBe(0);
  expect((await sessions(["--token", "t0ken"])).code).toBe(0);
  expect((await sessions(["--token", "wrong"])).err).toContain("does not take this token");
});

test("a table fits the terminal and shows control characters of peers as text", () => {
  const items = [sampleSession({ id: "0123456789abcdef", path: `/\x1b[2J${"x".repeat(200)}`, openedAt: 0 })];
  const lines = sessionTable(items, { now: 90_061_000, width: 100 });
  expect(Math.max(...lines.map((line) => [...line].length))).toBe(100);
  expect(lines[1]).toContain("0123456789abcdef");
  expect(lines[1]).toContain("1d1h");
  expect(lines.join("")).not.toContain("\x1b");
});
