import { afterEach, beforeEach, expect, test } from "bun:test";
import { FakeView } from "../../test/support/fake-view.ts";
import { adminApp } from "../controlplane/admin/app.ts";
import { AdminServer } from "../controlplane/admin/server.ts";
import { selfCommand } from "./self.ts";

const report = { worker: "1", pid: 77, sessions: 412, connections: 1, pausedMs: 20.6 };

let view: FakeView;
let server: AdminServer;

beforeEach(() => {
  view = new FakeView();
  server = AdminServer.open(adminApp(view), { host: "127.0.0.1", port: 0 });
});
afterEach(() => server[Symbol.asyncDispose]());

async function upgrade(args: readonly string[]) {
  const child = Bun.spawn([...selfCommand(), "upgrade", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", CAUSEWAY_ADMIN: server.url },
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { out, err, code: await child.exited };
}

test("an upgrade says what each new process has taken over", async () => {
  view.upgraded = { reports: [report], isControlReplaced: true };
  expect(await upgrade(["--binary", "/opt/causeway", "--linger", "2h"])).toEqual({
    out: "worker 1: process 77 has taken over 412 sessions and 1 idle connection; nothing moved for 21 ms\nthe control process follows\n",
    err: "",
    code: 0,
  });
  expect(view.upgradesAsked).toEqual([{ binary: "/opt/causeway", lingerMs: 7_200_000 }]);
  expect(JSON.parse((await upgrade(["--json"])).out)).toEqual({ items: [report], isControlReplaced: true });
  expect(view.upgradesAsked[1]).toEqual({ binary: undefined, lingerMs: 86_400_000 });
});

test("a worker that was not handed over is named with the reason, and with those that were", async () => {
  view.upgraded = { reports: [report, { worker: "2", failed: "it ended with exit code 3" }], isControlReplaced: false };
  expect(await upgrade([])).toEqual({
    out: "",
    err: "causeway upgrade: worker 2 was not handed over: it ended with exit code 3; handed over already: worker 1\n",
    code: 1,
  });
});

test("what is refused, and what cannot be meant, ends with a reason", async () => {
  view.upgraded = { problem: "an upgrade is under way", isBusy: true };
  expect(await upgrade([])).toMatchObject({ err: "causeway upgrade: an upgrade is under way\n", code: 1 });
  expect(await upgrade(["--linger", "soon"])).toMatchObject({ code: 2 });
  expect(view.upgradesAsked.length).toBe(1);
});
